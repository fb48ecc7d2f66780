"""Timestamps as people and other programs read them: RFC 3339 in UTC with ``Z``, to the millisecond.

Answers, exports, reports and commands all use this form. Inside, a timestamp is a float: seconds since 1970.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

SECONDS_PER_MINUTE = 60
SECONDS_PER_HOUR = 60 * SECONDS_PER_MINUTE
SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR

_SECONDS = {"d": SECONDS_PER_DAY, "h": SECONDS_PER_HOUR, "m": SECONDS_PER_MINUTE}

_AGO = re.compile(r"(\d{1,6})([dhm])")


def format_timestamp(seconds: float) -> str:
    """Return a timestamp in UTC, to the millisecond.

    Examples
    --------
    >>> format_timestamp(1.5)
    '1970-01-01T00:00:01.500Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_date(seconds: float) -> str:
    """Return the date of a timestamp in UTC.

    Examples
    --------
    >>> format_date(86_400.5)
    '1970-01-02'
    """
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def is_age(text: str) -> bool:
    """Return whether a text is a time ago, which depends on the machine's clock.

    Examples
    --------
    >>> is_age("7d"), is_age("2026-11-01")
    (True, False)
    """
    return _AGO.fullmatch(text.strip()) is not None


def parse_timestamp(text: str, now: float) -> float:
    """Parse a timestamp.

    Parameters
    ----------
    text
        A date or a time in ISO 8601, in UTC unless it has an offset; or a time ago: ``7d``, ``12h``, ``30m``.
    now
        Seconds since 1970.

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
    >>> parse_timestamp("1970-01-01T00:00:01.500Z", 0.0), parse_timestamp("1970-01-01T00:00:01.500+00:00", 0.0)
    (1.5, 1.5)
    """
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return max(now - int(ago[1]) * _SECONDS[ago[2]], 0.0)
    time = datetime.fromisoformat(text.strip())
    return max((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp(), 0.0)
