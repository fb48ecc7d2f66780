"""What stands for a missing value, for a truth value and for the level of a category: in JSON, in CSV and in tables.

The service, training and offline scoring read values by these rules.
"""

from __future__ import annotations

import math

# What programs write for a number that they do not have: spreadsheets, R, pandas, SQL, and the UCI repository.
MISSING_TEXTS = frozenset({"", "?", "-", "na", "n/a", "#n/a", "nan", "null", "none"})

# Without regard to case and blanks; the numbers are 0 and 1.
_BOOLEANS = {"true": True, "yes": True, "1": True, "1.0": True, "false": False, "no": False, "0": False, "0.0": False}


def read_boolean(value: object) -> bool | None:
    """Return a truth value that is written as true and false, yes and no, or 1 and 0; None if it is none.

    Examples
    --------
    >>> [read_boolean(value) for value in (True, "Yes", 0, " false ", 1.0, "maybe", 2)]
    [True, True, False, False, True, None, None]
    """
    if type(value) is bool:
        return value
    if isinstance(value, int | float | str):
        return _BOOLEANS.get(str(value).strip().lower())
    return None


def is_missing(value: object, *, is_number: bool) -> bool:
    """Return whether a value is missing. A text of a category is missing only if it is blank: NA may be Namibia.

    Examples
    --------
    >>> is_missing(None, is_number=True), is_missing("NA", is_number=True), is_missing("NA", is_number=False)
    (True, True, False)
    """
    if isinstance(value, str):
        text = value.strip().lower()
        return text in MISSING_TEXTS if is_number else not text
    return value is None or (isinstance(value, float) and math.isnan(value))


def read_level(value: object) -> str | None:
    """Return the level of a category: a text without blanks around it; whole numbers count as texts; None for others.

    Examples
    --------
    >>> read_level(" DE"), read_level(8001), read_level(8001.0), read_level(["DE"])
    ('DE', '8001', '8001', None)
    """
    if isinstance(value, str):
        return value.strip()
    if type(value) is float and value.is_integer():
        return str(int(value))
    return str(value).lower() if isinstance(value, int | float) else None
