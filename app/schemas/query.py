"""What may stand behind the path of an address: whole numbers, each under a name that is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from app.errors import FieldError, InvalidQuery

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


def refuse_unknown(given: Iterable[str], known: Sequence[str]) -> None:
    """Refuse names that mean nothing: one that is written wrong would be taken for its default.

    Raises
    ------
    InvalidQuery
        With one entry for each.

    Examples
    --------
    >>> refuse_unknown(["m"], ["first_row", "n"])
    Traceback (most recent call last):
    app.errors.InvalidQuery: m: unknown, expected first_row or n
    """
    errors: list[FieldError] = [
        {"field": name, "message": f"unknown, expected {' or '.join(known)}"} for name in given if name not in known
    ]
    if errors:
        raise InvalidQuery("; ".join(f"{error['field']}: {error['message']}" for error in errors), errors)
