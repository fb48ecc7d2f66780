"""What a user chooses about the drift detectors, checked before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from app.drift.calibration import LARGEST_WINDOW, SMALLEST_WINDOW
from training.errors import BadArgument


@dataclass(frozen=True)
class DriftParameters:
    """What a user chooses about the drift detectors.

    Parameters
    ----------
    expected_run_time
        Rows between first alarms of a detector while nothing changes, 100 to 50,000.
    window
        Rows that are compared with the reference at a time, 2 to 1,000.

    Raises
    ------
    BadArgument
        If a value is out of its range; the message names the option.

    Examples
    --------
    >>> DriftParameters(window=1)
    Traceback (most recent call last):
    training.errors.BadArgument: --drift-window 1 is out of range; use 2 to 1000 rows.
    """

    # 50 seconds at 100 rows a second: an alarm is cheap, since it is confirmed before anybody hears of it.
    expected_run_time: int = 5000
    # A second at 100 rows a second; a moved feature shows after a tenth of it.
    window: int = 100

    def __post_init__(self) -> None:
        # Beyond, the simulated streams would not fit into a usual machine's memory.
        if not 100 <= self.expected_run_time <= 50_000:
            raise BadArgument(f"--drift-ert {self.expected_run_time} is out of range; use 100 to 50000 rows.")
        if not SMALLEST_WINDOW <= self.window <= LARGEST_WINDOW:
            raise BadArgument(
                f"--drift-window {self.window} is out of range; use {SMALLEST_WINDOW} to {LARGEST_WINDOW} rows."
            )
        if self.window > self.expected_run_time:
            raise BadArgument(
                f"--drift-window {self.window} is more than --drift-ert {self.expected_run_time}; use less, "
                "or a longer run time."
            )
