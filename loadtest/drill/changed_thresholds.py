"""Thresholds that a drill cannot or need not reach as they are shipped, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ChangedThreshold:
    """A recorded threshold with another number.

    Parameters
    ----------
    record
        Its name in ``thresholds.yml``.
    expression
        The number of the drill, in the same unit.
    reason
        Why the shipped one does not do.
    """

    record: str
    expression: str
    reason: str


CHANGED = (
    ChangedThreshold(
        "threshold:prediction_p95_seconds:max",
        "0.05",
        "batches that take a second would keep every core of the machine busy",
    ),
    ChangedThreshold("threshold:memory_bytes:max", "400e6", "to fill 1.5 GB takes what a small machine does not have"),
    ChangedThreshold("threshold:training_silence_seconds:max", "10", "a drill has no quarter of an hour"),
    ChangedThreshold("threshold:model_age_seconds:max", "150", "nor has it ninety days"),
    ChangedThreshold(
        "threshold:service_restarts:max", "0", "in a window of seconds there is room for one restart, not for two"
    ),
    ChangedThreshold(
        "threshold:burn_rate_predictions:min",
        "20",
        "a window of an hour has become one of seconds, with fewer requests",
    ),
    # The only one that is raised.
    ChangedThreshold(
        "threshold:recorder_lost_ratio:max",
        "0.2",
        "rows wait a fifth of a second to be written, which is some per cent of a window of seconds",
    ),
)


def expressions(thresholds: Iterable[ChangedThreshold] = CHANGED) -> dict[str, str]:
    """Map the names of the thresholds to their new expressions.

    Examples
    --------
    >>> expressions()["threshold:model_age_seconds:max"]
    '150'
    """
    return {threshold.record: threshold.expression for threshold in thresholds}
