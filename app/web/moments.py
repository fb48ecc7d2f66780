"""Moments as answers say them."""

from __future__ import annotations

from datetime import UTC, datetime


def format_timestamp(seconds: float) -> str:
    """Write seconds since 1970 as RFC 3339 has it, in UTC.

    Examples
    --------
    >>> format_timestamp(1.5)
    '1970-01-01T00:00:01.500+00:00'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
