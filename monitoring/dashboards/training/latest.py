"""Which training is asked about: the one that runs, else the last one."""

from __future__ import annotations

RUNNING = 'job="model-training"'
LAST = 'job="training", model_name=~"$model_name"'


def of_training(metric: str, by: str = "", labels: str = "") -> str:
    """Say what the running training tells, or, when none does, what the last one told.

    Parameters
    ----------
    metric
        Its name.
    by
        Labels to keep, separated by commas.
    labels
        More of a selector.
    """
    kept = f" by ({by})" if by else ""
    more = f", {labels}" if labels else ""
    # With `on ()` one series of a training that runs hides all of those that were pushed: both together would
    # tell of two trainings as if they were one.
    return f"max{kept} ({metric}{{{RUNNING}{more}}}) or on () max{kept} ({metric}{{{LAST}{more}}})"
