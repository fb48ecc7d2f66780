"""Moments as operators write them.

A while of whole hours, because answers are counted by the hour.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from app.db.ids import first_id_at

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60}

_AGO = re.compile(r"(\d{1,6})([dhm])")


def parse_timestamp(text: str, now: float) -> float:
    """Read a moment.

    Parameters
    ----------
    text
        A day or a time of ISO 8601, in UTC unless it says otherwise, or a time ago: ``7d``, ``12h``, ``30m``.
    now
        In seconds since 1970.

    Returns
    -------
    Seconds since 1970, not negative.

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> parse_timestamp("1970-01-02", 0.0), parse_timestamp("1970-01-01T01:00+01:00", 0.0), parse_timestamp("1d", 9e4)
    (86400.0, 0.0, 3600.0)
    """
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return max(now - int(ago[1]) * _SECONDS[ago[2]], 0.0)
    moment = datetime.fromisoformat(text.strip())
    return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), 0.0)


def format_timestamp(seconds: float) -> str:
    """Write a moment in UTC, to the millisecond.

    Examples
    --------
    >>> format_timestamp(1.5)
    '1970-01-01T00:00:01.500Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_date(seconds: float) -> str:
    """Write the day of a moment in UTC.

    Examples
    --------
    >>> format_date(86_400.5)
    '1970-01-02'
    """
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


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
