"""What marshmallow found wrong, as a flat list that names each place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.errors import FieldError


def name_places(messages: dict[str, Any]) -> list[FieldError]:
    """Flatten marshmallow's nested messages.

    Parameters
    ----------
    messages
        What ``ValidationError.normalized_messages`` gives.

    Examples
    --------
    >>> name_places({"inputs": {0: {"shape": {1: ["Not a valid integer."]}}}, "id": ["Not a valid string."]})
    [{'field': 'inputs[0].shape[1]', 'message': 'Not a valid integer.'},
     {'field': 'id', 'message': 'Not a valid string.'}]
    """
    return [{"field": place, "message": text} for place, text in _walk(messages, "")]


def _walk(found: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield each place below ``place`` with what is wrong there."""
    if isinstance(found, list):
        yield from ((place, text) for text in found)
        return
    for key, below in found.items():
        # Fields have names, the items of a list have numbers.
        step = f"[{key}]" if isinstance(key, int) else f".{key}" if place else key
        yield from _walk(below, place + step)
