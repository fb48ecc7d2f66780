"""Record ids: unique, and sorted by time, so that an index grows at its end."""

from __future__ import annotations

import random
import time

# Milliseconds since 1970 in 48 bits last until the year 10889; with 80 random bits, two equal ids within one
# millisecond are as good as impossible. The ULID specification uses the same numbers.
_TIME_DIGITS, _RANDOM_BITS, _RANDOM_DIGITS = 12, 80, 20

RECORD_ID_DIGITS = _TIME_DIGITS + _RANDOM_DIGITS


def make_record_id() -> str:
    """Return a new id of 32 hexadecimal digits.

    It is an identifier and no secret, so its random part need not come from the kernel, whose call would release the
    interpreter lock in the middle of a request.
    """
    milliseconds = time.time_ns() // 1_000_000
    return f"{milliseconds:0{_TIME_DIGITS}x}{random.getrandbits(_RANDOM_BITS):0{_RANDOM_DIGITS}x}"


def first_id_at(seconds: float) -> str:
    """Return the smallest id of a time: smaller ids are older.

    Parameters
    ----------
    seconds
        Seconds since 1970, not negative.

    Examples
    --------
    >>> first_id_at(1.0)
    '0000000003e800000000000000000000'
    >>> first_id_at(time.time() - 1) < make_record_id() < first_id_at(time.time() + 1)
    True
    """
    return f"{int(seconds * 1000):0{_TIME_DIGITS}x}" + "0" * _RANDOM_DIGITS


def time_of_id(record_id: str) -> float:
    """Return when an id was made, in seconds since 1970.

    Examples
    --------
    >>> time_of_id(first_id_at(1.5))
    1.5
    """
    return int(record_id[:_TIME_DIGITS], 16) / 1000
