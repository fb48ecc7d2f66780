"""Thresholds that the drill changes, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ChangedThreshold:
    """A threshold with its value in the drill.

    Parameters
    ----------
    record
        Name of its recording rule in ``thresholds.yml``.
    expression
        Value in the drill, in the same unit.
    reason
        Why the shipped value is not used.
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
    ChangedThreshold("threshold:memory_bytes:max", "400e6", "filling 1.5 GB could exhaust a small machine's memory"),
    ChangedThreshold("threshold:training_silence_seconds:max", "10", "a drill does not wait for a quarter of an hour"),
    ChangedThreshold("threshold:model_age_seconds:max", "150", "a drill does not wait for ninety days"),
    ChangedThreshold(
        "threshold:service_restarts:max", "0", "a window of seconds has room for one restart, not for two"
    ),
    ChangedThreshold(
        "threshold:burn_rate_predictions:min",
        "5",
        "a window of an hour becomes one of seconds, with fewer requests",
    ),
    ChangedThreshold(
        "threshold:feedback_silence_seconds:max", "30", "a drill does not wait for three days without a label"
    ),
    ChangedThreshold("threshold:segment_rows:min", "200", "hundreds of rows are enough to see that an alert works"),
    # The only threshold that is raised.
    ChangedThreshold(
        "threshold:recorder_lost_ratio:max",
        "0.2",
        "rows are written after a fifth of a second, which is several per cent of a window of seconds",
    ),
)

# By alert: seconds below which its range is not scaled. On a busy machine a restart takes up to a minute, in which
# nothing is scraped, and a restart is seen only if the range has a scrape before and after it.
LEAST_RANGES = {"ServiceRestarting": 75.0}


def expressions(thresholds: Iterable[ChangedThreshold] = CHANGED) -> dict[str, str]:
    """Return the new expressions by name of the threshold.

    Examples
    --------
    >>> expressions()["threshold:model_age_seconds:max"]
    '150'
    """
    return {threshold.record: threshold.expression for threshold in thresholds}
