"""Times as hours of the week: a category with 168 levels, of which hour of day and day of week become features."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_HOURS_PER_DAY, _SECONDS_PER_HOUR = 24, 3600

# The levels of a column of times, in order: their numbers are hours since Monday.
HOURS = tuple(f"{day} {hour:02d}:00" for day in DAYS for hour in range(_HOURS_PER_DAY))

# How a column of times may be written, besides the ways in which datetime.strptime is told to read it.
ISO, SECONDS, MILLISECONDS = "iso", "seconds since 1970", "milliseconds since 1970"

# Forms that a training file is tried for, the first that fits all of its times; a day and a month are not guessed.
FORMS = (
    ISO,
    *(
        f"{date} {time}".strip()
        for date in ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d")
        for time in ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "")
    ),
)

# The hour is that of the clock where a time was written down.
ZONE = re.compile(r"(:\d\d(?:[.,]\d+)?|[T ]\d\d)\s*(?:Z|[+-]\d{2}:?\d{2})$")

_NUMBERS_OF_HOURS = {hour: float(number) for number, hour in enumerate(HOURS)}


def is_form(form: object) -> bool:
    """Return whether a manifest may say that times are written so."""
    return form in (*FORMS, SECONDS, MILLISECONDS)


def read_hour(value: object, form: str) -> float | None:
    """Return the hour of the week of a time, from 0 to 167; None if it is no time.

    Parameters
    ----------
    value
        A text in ISO 8601 or in the form of the training file, or an hour of the week such as ``Tue 15:00``; a number
        if the training file had numbers.
    form
        How the training file wrote times.

    Examples
    --------
    >>> [read_hour(value, "iso") for value in ("2026-11-29T22:05:00+01:00", "Sun 22:00", "tomorrow", 5)]
    [166.0, 166.0, None, None]
    >>> read_hour("29.11.2026 22:05", "%d.%m.%Y %H:%M"), read_hour(1796000000, "seconds since 1970")
    (166.0, 0.0)
    """
    if form in (SECONDS, MILLISECONDS):
        if type(value) in (int, float):
            return hours_of_seconds(value / (1000 if form == MILLISECONDS else 1))  # type: ignore[operator]
        return _NUMBERS_OF_HOURS.get(value) if isinstance(value, str) else None
    if not isinstance(value, str):
        return None
    if value in _NUMBERS_OF_HOURS:
        return _NUMBERS_OF_HOURS[value]
    text = ZONE.sub(r"\1", value.strip())
    for read in (datetime.fromisoformat, lambda text: datetime.strptime(text, form)):
        try:
            time = read(text)
        except ValueError:
            continue
        return float(time.weekday() * _HOURS_PER_DAY + time.hour)
    return None


def describe_form(form: str) -> str:
    """Return what a value has to be, for messages.

    Examples
    --------
    >>> describe_form("iso"), describe_form("%d.%m.%Y"), describe_form("seconds since 1970")
    ('a time such as 2026-01-31T15:05:00', 'a time such as 31.01.2026', 'a number of seconds since 1970')
    """
    if form in (SECONDS, MILLISECONDS):
        return f"a number of {form}"
    example = datetime(2026, 1, 31, 15, 5)
    return f"a time such as {example.isoformat() if form == ISO else example.strftime(form)}"


def hours_of_seconds(seconds: float) -> float:
    """Return the hour of the week of a number of seconds since 1970, in UTC.

    Examples
    --------
    >>> hours_of_seconds(0), HOURS[int(hours_of_seconds(0))]
    (72.0, 'Thu 00:00')
    """
    thursday = 3 * _HOURS_PER_DAY
    return float((seconds // _SECONDS_PER_HOUR + thursday) % len(HOURS))


def encode_times(name: str) -> dict[str, Any]:
    """Return the step of an encoding that makes hour of day and day of week of a column of times."""
    table = {
        "operation": "table",
        "values": [[float(hour % _HOURS_PER_DAY), float(hour // _HOURS_PER_DAY)] for hour in range(len(HOURS))],
        # No value is new: what is no time is refused.
        "new": [None, None],
        "missing": [None, None],
    }
    return {
        "step": "transform",
        "column": name,
        "operations": [table],
        "features": [f"{name}: hour of day", f"{name}: day of week"],
    }


def check_times(column: Mapping[str, Any]) -> bool:
    """Return whether a column of a manifest that may be one of times has a known form, and the hours as levels."""
    if "time" not in column:
        return True
    return is_form(column["time"]) and [level["level"] for level in column["levels"]] == list(HOURS)
