"""Moments as operators write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60}

_AGO = re.compile(r"(\d{1,6})([dhm])")


def read_moment(text: str, now: float) -> float:
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
    >>> read_moment("1970-01-02", now=0.0), read_moment("1970-01-01T01:00+01:00", 0.0), read_moment("1d", 90_000.0)
    (86400.0, 0.0, 3600.0)
    """
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return max(now - int(ago[1]) * _SECONDS[ago[2]], 0.0)
    moment = datetime.fromisoformat(text.strip())
    return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), 0.0)


def write_moment(seconds: float) -> str:
    """Write a moment in UTC, to the millisecond.

    Examples
    --------
    >>> write_moment(1.5)
    '1970-01-01T00:00:01.500Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_day(seconds: float) -> str:
    """Write the day of a moment in UTC.

    Examples
    --------
    >>> write_day(86_400.5)
    '1970-01-02'
    """
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
