"""One detector: when a statistic is an alarm, when an alarm is an event, and when a drift is over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.drift.confirmation import Confirmation
from app.drift.thresholds import Thresholds


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
