"""A drift detector: when a statistic is a drift signal, when a signal becomes an event, and when a drift ends.

A signal must be confirmed before it becomes an event, as often as it takes to keep false events as rare as configured.
Saved state and metrics call a signal ``alarm``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log
from typing import Any

from app.drift.thresholds import Thresholds

SECONDS_PER_DAY = 86_400

# With fewer and stricter windows, a small drift would rarely be confirmed; with more, the event comes later.
_MIN_SHARE = 0.05

# An eighth of the false events that are allowed is planned for these detectors, and an eighth for that of
# app.drift.counts. Reference and calibration rows are only a sample: one draw of 4,000 training rows led to 3.7 times
# as many as planned.
PLANNED_FALSE_EVENTS = 1 / 8

# Above this, a window carries hardly any information. It is the largest share that calibration stores.
_MAX_SHARE = 0.25


@dataclass(frozen=True)
class Confirmation:
    """What turns a signal into an event: a number of consecutive windows after it that share no rows.

    Parameters
    ----------
    n_windows
        How many windows must exceed the confirming threshold, at least 1.
    share
        The probability that an undrifted window exceeds that threshold.
    """

    n_windows: int
    share: float

    @property
    def false_share(self) -> float:
        """The probability that a false signal becomes an event: rows are independent, so windows are, too."""
        return float(self.share**self.n_windows)


def plan_confirmation(
    run_time: float, rows_per_second: float, false_alarm_days: float, n_detectors: int
) -> Confirmation:
    """Choose the smallest number of windows that keeps the false event rate, with a factor of eight to spare.

    Parameters
    ----------
    run_time
        Mean number of rows between signals of one detector without drift.
    rows_per_second
        The most rows a second that reach the detectors.
    false_alarm_days
        Mean time between false events of all detectors together, at least.
    n_detectors
        The number of detectors that share this rate.

    Raises
    ------
    ValueError
        If a number is not positive.

    Examples
    --------
    One detector signals 51,840 times in 30 days at 100 rows a second, four of them 207,360 times.

    >>> plan = plan_confirmation(5000, rows_per_second=100, false_alarm_days=30, n_detectors=4)
    >>> plan.n_windows, round(plan.share, 4)
    (5, 0.057)
    >>> round(207_360 * plan.false_share, 6)
    0.125
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
    false_signals = n_detectors * rows_per_second * false_alarm_days * SECONDS_PER_DAY / run_time
    allowed = PLANNED_FALSE_EVENTS / false_signals
    if allowed >= _MAX_SHARE:
        return Confirmation(1, _MAX_SHARE)
    # The smallest number of windows whose share is not below the minimum: share ** n_windows = allowed.
    n_windows = ceil(log(allowed) / log(_MIN_SHARE))
    return Confirmation(n_windows, min(allowed ** (1 / n_windows), _MAX_SHARE))


class Phase(StrEnum):
    """The phase of a detector, as ``GET /drift`` shows it."""

    FILLING = "not enough rows yet"
    WATCHING = "no drift"
    CONFIRMING = "alarm, being confirmed"
    DRIFTING = "drift"


class Kind(StrEnum):
    """What a detector found at a row; a drift signal is stored as ``alarm``."""

    ALARM = "alarm"
    EVENT = "event"


# The integers that a float holds exactly; at 10,000 rows a second they last for 28,000 years.
MAX_COUNT = 2**53


@dataclass
class Progress:
    """The progress of a detector: all that must survive a restart apart from the rows of the window.

    Parameters
    ----------
    phase
        The current phase.
    rows_watched
        Rows since the first full window, or since the last signal was not confirmed or the last drift ended.
    rows_of_window
        While confirming or drifting: rows of the current window, which shares none with the previous one.
    windows
        Consecutive windows that confirmed or, while drifting, that were quiet.
    alarms, events
        Number of signals and events.
    """

    phase: Phase = Phase.FILLING
    rows_watched: int = 0
    rows_of_window: int = 0
    windows: int = 0
    alarms: int = 0
    events: int = 0

    @classmethod
    def of(cls, values: dict[str, Any]) -> Progress:
        """Create it from a result of ``dataclasses.asdict``.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is none.
        """
        progress = cls(**values | {"phase": Phase(values["phase"])})
        counts = (progress.rows_watched, progress.rows_of_window, progress.windows, progress.alarms, progress.events)
        if not all(type(count) is int and 0 <= count <= MAX_COUNT for count in counts):
            raise ValueError(f"{values} has counts that are not whole numbers of at least 0.")
        return progress


class Detector:
    """Compares one statistic with its thresholds.

    A signal is a statistic above the threshold. It becomes an event if each of the following windows, which share no
    rows, exceeds the confirming threshold. The drift ends when the same number of consecutive windows does not, so one
    lasting drift is one event.

    Parameters
    ----------
    thresholds
        From calibration.
    confirmation
        How a signal is confirmed.
    window
        Rows in a window.

    Examples
    --------
    Windows of two rows; a signal above 1 becomes an event if the window after it is above 0.5.

    >>> import numpy as np
    >>> thresholds = Thresholds(np.array([0]), np.array([1.0]), np.full(80, 0.5), run_time=300.0)
    >>> detector = Detector(thresholds, Confirmation(1, 0.1), window=2)
    >>> [str(detector.check(statistic)) for statistic in (0.1, 1.2, 0.1, 0.7, 3.0)]
    ['None', 'alarm', 'None', 'event', 'None']
    >>> str(detector.progress.phase)
    'drift'
    """

    def __init__(self, thresholds: Thresholds, confirmation: Confirmation, window: int) -> None:
        self._thresholds = thresholds.by_row()
        self._confirming_threshold = thresholds.confirming_threshold(confirmation.share)
        self._confirmation, self._window = confirmation, window
        self.progress = Progress()
        # None until a window has been full.
        self.statistic: float | None = None
        # All thresholds are multiplied by it while rows depend on each other.
        self.widening = 1.0

    @property
    def threshold(self) -> float:
        """The threshold for the next row."""
        return self.widening * self._thresholds[min(self.progress.rows_watched, len(self._thresholds) - 1)]

    def check(self, statistic: float) -> Kind | None:
        """Process the statistic of the next full window.

        Returns
        -------
        What was found, if anything.
        """
        self.statistic, progress = statistic, self.progress
        if progress.phase is Phase.WATCHING or progress.phase is Phase.FILLING:
            is_signal = statistic > self.threshold
            progress.rows_watched += 1
            progress.phase = Phase.WATCHING
            if not is_signal:
                return None
            self._enter(Phase.CONFIRMING)
            progress.alarms += 1
            return Kind.ALARM
        progress.rows_of_window += 1
        if progress.rows_of_window < self._window:
            return None
        progress.rows_of_window = 0
        exceeds = statistic > self.widening * self._confirming_threshold
        if progress.phase is Phase.CONFIRMING:
            return self._confirm(exceeds)
        self._wait_for_end(exceeds)
        return None

    def _confirm(self, exceeds: bool) -> Kind | None:
        """Process a window after a signal."""
        if not exceeds:
            self._enter(Phase.WATCHING)
            return None
        self.progress.windows += 1
        if self.progress.windows < self._confirmation.n_windows:
            return None
        self._enter(Phase.DRIFTING)
        self.progress.events += 1
        return Kind.EVENT

    def _wait_for_end(self, exceeds: bool) -> None:
        """Process a window after an event."""
        self.progress.windows = 0 if exceeds else self.progress.windows + 1
        if self.progress.windows >= self._confirmation.n_windows:
            self._enter(Phase.WATCHING)

    def _enter(self, phase: Phase) -> None:
        """Enter a phase, and reset its counters."""
        self.progress.phase = phase
        self.progress.rows_watched = self.progress.rows_of_window = self.progress.windows = 0
