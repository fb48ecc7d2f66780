"""Query parameters: each is declared once, for the OpenAPI document and for the view that reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from werkzeug.datastructures import MultiDict

from app.errors import FieldError, InvalidQuery

Value = TypeVar("Value")

# As JSON writes them; ten digits hold more than any limit here.
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")

_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, eq=False)
class QueryParameter(Generic[Value]):
    """A query parameter that may be given at most once.

    Parameters
    ----------
    name
        Its name in the URL.
    description
        What it does, for the OpenAPI document.
    schema
        Its JSON Schema.
    expected
        What a value must be, for the message of a refusal.
    default
        The value if the parameter is absent.
    parse
        Returns the value of a text, or None if the text is not valid.
    """

    name: str
    description: str
    schema: dict[str, Any]
    expected: str
    default: Value
    parse: Callable[[str], Value | None]

    def read(self, args: MultiDict[str, str]) -> Value:
        """Return the value in the query of a request.

        Raises
        ------
        InvalidQuery
            If the text is not valid, or the parameter is given more than once.
        """
        texts = args.getlist(self.name)
        if not texts:
            return self.default
        value = self.parse(texts[0]) if len(texts) == 1 else None
        if value is None:
            message = f"expected {self.expected}, got {' and '.join(texts)}"
            raise InvalidQuery([{"field": self.name, "message": message}])
        return value


def boolean_parameter(name: str, description: str) -> QueryParameter[bool]:
    """Declare a parameter that is ``true`` or ``false``; it is false by default."""
    schema = {"type": "boolean", "default": False}
    return QueryParameter(name, description, schema, "true or false", False, _BOOLEANS.get)


def whole_number_parameter(
    name: str, description: str, default: int, minimum: int, maximum: int
) -> QueryParameter[int]:
    """Declare a parameter that is a whole number; both limits are included.

    Examples
    --------
    >>> n = whole_number_parameter("n", "Maximum number of rows.", 20, 1, 100)
    >>> n.read(MultiDict({"n": "5"})), n.read(MultiDict())
    (5, 20)
    >>> n.read(MultiDict({"n": "5.0"}))
    Traceback (most recent call last):
    app.errors.InvalidQuery: n: expected a whole number from 1 to 100, got 5.0
    """

    def parse(text: str) -> int | None:
        value = int(text) if _WHOLE_NUMBER.fullmatch(text) else None
        return value if value is not None and minimum <= value <= maximum else None

    schema = {"type": "integer", "default": default, "minimum": minimum, "maximum": maximum}
    expected = f"a whole number from {minimum} to {maximum}"
    return QueryParameter(name, description, schema, expected, default, parse)


def text_parameter(name: str, description: str, max_characters: int) -> QueryParameter[str | None]:
    """Declare a parameter that is any text up to a length; None by default.

    Examples
    --------
    >>> text_parameter("segment", "Only this segment.", 3).read(MultiDict({"segment": "de"}))
    'de'
    """
    schema = {"type": "string", "maxLength": max_characters}
    expected = f"at most {max_characters} characters"
    return QueryParameter(
        name, description, schema, expected, None, lambda text: text if len(text) <= max_characters else None
    )


def choice_parameter(
    name: str, description: str, choices: Sequence[str], default: str | None = None
) -> QueryParameter[Any]:
    """Declare a parameter that is one of some words.

    Examples
    --------
    >>> choice_parameter("label", "What people said.", ("true", "false")).read(MultiDict({"label": "true"}))
    'true'
    """
    schema = {"type": "string", "enum": list(choices)} | ({} if default is None else {"default": default})
    expected = " or ".join(choices)
    return QueryParameter(name, description, schema, expected, default, lambda text: text if text in choices else None)


def refuse_unknown(names: Iterable[str], known: Sequence[QueryParameter[Any]]) -> None:
    """Refuse unknown parameters: a misspelt name would silently mean the default.

    Raises
    ------
    InvalidQuery
        With one entry for each unknown name.

    Examples
    --------
    >>> n = whole_number_parameter("n", "Maximum number of rows.", 20, 1, 100)
    >>> refuse_unknown(["m"], [n])
    Traceback (most recent call last):
    app.errors.InvalidQuery: m: unknown, expected n
    """
    known_names = [parameter.name for parameter in known]
    errors: list[FieldError] = [
        {"field": name, "message": f"unknown, expected {' or '.join(known_names)}"}
        for name in names
        if name not in known_names
    ]
    if errors:
        raise InvalidQuery(errors)
