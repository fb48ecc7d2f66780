"""Whole numbers behind the path of an address."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.errors import InvalidQuery

# As JSON writes them; ten digits hold more than any limit here.
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")


def read_whole_number(name: str, given: Sequence[str], default: int, least: int, most: int) -> int:
    """Read a number.

    Parameters
    ----------
    name
        Of the parameter.
    given
        Each value that the address has for it.
    default
        If there is none.
    least, most
        The limits, both included.

    Raises
    ------
    InvalidQuery
        If it is none, not within the limits, or there are several.

    Examples
    --------
    >>> read_whole_number("n", ["5"], 20, 1, 100), read_whole_number("n", [], 20, 1, 100)
    (5, 20)
    >>> read_whole_number("n", ["5.0"], 20, 1, 100)
    Traceback (most recent call last):
    app.errors.InvalidQuery: n: expected a whole number from 1 to 100, got 5.0
    """
    if not given:
        return default
    if len(given) == 1 and _WHOLE_NUMBER.fullmatch(given[0]) and least <= int(given[0]) <= most:
        return int(given[0])
    message = f"expected a whole number from {least} to {most}, got {' and '.join(given)}"
    raise InvalidQuery(f"{name}: {message}", [{"field": name, "message": message}])
