"""A while of whole hours, because answers are counted by the hour."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.records.record_id import first_id_at

SECONDS_OF_HOUR = 3600
SECONDS_OF_DAY = 24 * SECONDS_OF_HOUR


@dataclass(frozen=True)
class Window:
    """From the beginning of one hour to the beginning of another.

    Parameters
    ----------
    first_hour, end_hour
        When the first hour begins, and when the last one ends; seconds since 1970.
    """

    first_hour: int
    end_hour: int

    @classmethod
    def around(cls, since: float, until: float) -> Window:
        """Take every hour of which a part lies between two moments, in seconds since 1970.

        Whoever asks until now so sees the labels of the hour underway; what was answered in the rest of the first hour
        is counted, too.

        Examples
        --------
        >>> Window.around(3599.0, 7201.0)
        Window(first_hour=0, end_hour=10800)
        """
        return cls(
            math.floor(since / SECONDS_OF_HOUR) * SECONDS_OF_HOUR, math.ceil(until / SECONDS_OF_HOUR) * SECONDS_OF_HOUR
        )

    @property
    def record_ids(self) -> tuple[str, str]:
        """The least id of the window, and the least one after it."""
        return first_id_at(self.first_hour), first_id_at(self.end_hour)
