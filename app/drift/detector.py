"""One detector: when a statistic is an alarm, when an alarm is an event, and when a drift is over.

How often an alarm has to be confirmed before somebody is told, so that false events stay as rare as promised.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log
from typing import Any

from app.drift.calibration import Thresholds

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


class Phase(StrEnum):
    """What a detector is doing."""

    FILLING = "not enough rows yet"
    WATCHING = "no drift"
    CONFIRMING = "alarm, being confirmed"
    DRIFTING = "drift"


class Kind(StrEnum):
    """What a detector has to say about a row."""

    ALARM = "alarm"
    EVENT = "event"


@dataclass
class Progress:
    """Where a detector stands; all that has to outlive a restart beside the rows of the window.

    Parameters
    ----------
    phase
        What it is doing.
    rows_watched
        Rows since the first full window, or since the last alarm was not confirmed or the last drift was over.
    rows_of_window
        While it is confirming or drifting: rows of the current window, which has none in common with the one before.
    windows
        Windows in a row that confirmed, or while it is drifting, that were quiet.
    alarms, events
        How many there were.
    """

    phase: Phase = Phase.FILLING
    rows_watched: int = 0
    rows_of_window: int = 0
    windows: int = 0
    alarms: int = 0
    events: int = 0

    @classmethod
    def of(cls, values: dict[str, Any]) -> Progress:
        """Make it from what ``dataclasses.asdict`` gave."""
        return cls(**values | {"phase": Phase(values["phase"])})


class Detector:
    """Compares one statistic with its lines.

    A first alarm is a statistic above the alarm line. It becomes an event if each of the following windows, which have
    no row in common, is beyond the confirming line. The drift then lasts until as many windows in a row are not, so
    that one lasting drift is one event.

    Parameters
    ----------
    thresholds
        What calibration found.
    confirmation
        How an alarm is confirmed.
    window
        Rows in a window.

    Examples
    --------
    Windows of two rows; an alarm above 1 becomes an event if one window after it is above 0.5.

    >>> import numpy as np
    >>> thresholds = Thresholds(np.array([0]), np.array([1.0]), np.full(80, 0.5), run_time=300.0)
    >>> detector = Detector(thresholds, Confirmation(1, 0.1), window=2)
    >>> [str(detector.check(statistic)) for statistic in (0.1, 1.2, 0.1, 0.7, 3.0)]
    ['None', 'alarm', 'None', 'event', 'None']
    >>> str(detector.progress.phase)
    'drift'
    """

    def __init__(self, thresholds: Thresholds, confirmation: Confirmation, window: int) -> None:
        self._lines = thresholds.by_row()
        self._confirming_line = thresholds.confirming_line(confirmation.share)
        self._confirmation, self._window = confirmation, window
        self.progress = Progress()
        # None until a window has been full.
        self.statistic: float | None = None

    @property
    def threshold(self) -> float:
        """The alarm line that holds for the next row."""
        return self._lines[min(self.progress.rows_watched, len(self._lines) - 1)]

    def check(self, statistic: float) -> Kind | None:
        """Take the statistic of the next full window.

        Returns
        -------
        What has happened, if anything.
        """
        self.statistic, progress = statistic, self.progress
        if progress.phase is Phase.WATCHING or progress.phase is Phase.FILLING:
            is_alarm = statistic > self.threshold
            progress.rows_watched += 1
            progress.phase = Phase.WATCHING
            if not is_alarm:
                return None
            self._begin(Phase.CONFIRMING)
            progress.alarms += 1
            return Kind.ALARM
        progress.rows_of_window += 1
        if progress.rows_of_window < self._window:
            return None
        progress.rows_of_window = 0
        is_beyond = statistic > self._confirming_line
        if progress.phase is Phase.CONFIRMING:
            return self._confirm(is_beyond)
        self._calm_down(is_beyond)
        return None

    def _confirm(self, is_beyond: bool) -> Kind | None:
        """Take a window after an alarm."""
        if not is_beyond:
            self._begin(Phase.WATCHING)
            return None
        self.progress.windows += 1
        if self.progress.windows < self._confirmation.n_windows:
            return None
        self._begin(Phase.DRIFTING)
        self.progress.events += 1
        return Kind.EVENT

    def _calm_down(self, is_beyond: bool) -> None:
        """Take a window after an event."""
        self.progress.windows = 0 if is_beyond else self.progress.windows + 1
        if self.progress.windows >= self._confirmation.n_windows:
            self._begin(Phase.WATCHING)

    def _begin(self, phase: Phase) -> None:
        """Go on to another phase, with all counts of the phase anew."""
        self.progress.phase = phase
        self.progress.rows_watched = self.progress.rows_of_window = self.progress.windows = 0
