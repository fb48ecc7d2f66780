"""How often an alarm has to be confirmed before somebody is told, so that false events stay as rare as promised."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

_SECONDS_PER_DAY = 86_400

# With fewer, stricter windows a small drift would rarely pass all of them; with more, the event comes later.
_LEAST_SHARE = 0.05

# Reference and calibration rows are a sample of what live rows come from: of single draws, up to 1.1 times as many
# undrifted windows as planned were beyond the line, and five such factors make 1.6.
_MARGIN = 2

# Above this a window says next to nothing. It is the largest share that calibration stores.
_LARGEST_SHARE = 0.25


@dataclass(frozen=True)
class Confirmation:
    """What turns a first alarm into an event: so many windows in a row after it, each of rows of its own.

    Parameters
    ----------
    n_windows
        How many windows have to be beyond the confirming line, at least 1.
    share
        The chance with which an undrifted window is beyond that line.
    """

    n_windows: int
    share: float

    @property
    def false_share(self) -> float:
        """The chance with which a false alarm becomes an event: rows are independent, so windows are, too."""
        return float(self.share**self.n_windows)


def plan_confirmation(
    run_time: float, rows_per_second: float, false_alarm_days: float, n_detectors: int
) -> Confirmation:
    """Choose the fewest windows that keep the promise twice over with lines not too strict for a small drift.

    Parameters
    ----------
    run_time
        Rows between first alarms of one detector while nothing changes.
    rows_per_second
        Most rows a second that reach the detectors.
    false_alarm_days
        At most one false event of all detectors together in so many days, on average.
    n_detectors
        How many detectors share the promise.

    Raises
    ------
    ValueError
        If a number is not positive.

    Examples
    --------
    A detector alarms 51,840 times in 30 days at 100 rows a second, four of them 207,360 times.

    >>> plan = plan_confirmation(5000, rows_per_second=100, false_alarm_days=30, n_detectors=4)
    >>> plan.n_windows, round(plan.share, 4)
    (5, 0.0752)
    >>> round(207_360 * plan.false_share, 6)
    0.5
    >>> plan_confirmation(5000, rows_per_second=0.001, false_alarm_days=1, n_detectors=4)
    Confirmation(n_windows=1, share=0.25)
    """
    for name, number in {
        "run_time": run_time,
        "rows_per_second": rows_per_second,
        "false_alarm_days": false_alarm_days,
        "n_detectors": n_detectors,
    }.items():
        if not number > 0:
            raise ValueError(f"{name} is {number}; pass a number above 0.")
    false_alarms = n_detectors * rows_per_second * false_alarm_days * _SECONDS_PER_DAY / run_time
    allowed = 1 / (_MARGIN * false_alarms)
    if allowed >= _LARGEST_SHARE:
        return Confirmation(1, _LARGEST_SHARE)
    # The smallest number of windows whose share is not below the least: share ** n_windows = allowed.
    n_windows = ceil(log(allowed) / log(_LEAST_SHARE))
    return Confirmation(n_windows, min(allowed ** (1 / n_windows), _LARGEST_SHARE))
