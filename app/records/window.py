"""A window of whole hours, because answers are counted by the hour."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.db.ids import first_id_at
from app.records.timestamps import SECONDS_PER_HOUR


@dataclass(frozen=True)
class Window:
    """The time from the start of one hour to the end of another.

    Parameters
    ----------
    first_hour, end_hour
        Start of the first hour and end of the last one; seconds since 1970.
    """

    first_hour: int
    end_hour: int

    @classmethod
    def around(cls, since: float, until: float) -> Window:
        """Return the smallest window that covers the time between two timestamps, in seconds since 1970.

        A window until now thus includes the labels of the current hour; the answers of the whole first hour are
        counted, too.

        Examples
        --------
        >>> Window.around(3599.0, 7201.0)
        Window(first_hour=0, end_hour=10800)
        """
        first, end = math.floor(since / SECONDS_PER_HOUR), math.ceil(until / SECONDS_PER_HOUR)
        return cls(first * SECONDS_PER_HOUR, end * SECONDS_PER_HOUR)

    @property
    def record_ids(self) -> tuple[str, str]:
        """The smallest record id of the window, and the smallest one after it."""
        return first_id_at(self.first_hour), first_id_at(self.end_hour)
