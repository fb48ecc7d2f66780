"""``segment``: what kind of caller asks, in its own words, so that kinds can be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from app.schemas.loading import refuse
from app.schemas.row_problems import json_type

# As app.records.tables has it, which a worker does not load.
SEGMENT_CHARACTERS = 64

# It stands in metrics, log lines and tables: nothing that moves the cursor, and no blank that nobody sees. The OpenAPI
# document says it with the same words.
SEGMENT_PATTERN = (
    r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]{0," + str(SEGMENT_CHARACTERS - 2) + r"}[^\x00-\x20\x7f-\xa0])?$"
)
_SEGMENT = re.compile(SEGMENT_PATTERN)

SEGMENT_MEANING = (
    "What kind of caller asks (a country, an app's version), so that kinds can be compared. It does not change the "
    "answer."
)


class Segment(fields.Field[str]):
    """1 to 64 characters; empty if left out."""

    def __init__(self, **kwargs: Any) -> None:
        described = {
            "type": "string",
            "minLength": 1,
            "maxLength": SEGMENT_CHARACTERS,
            "pattern": SEGMENT_PATTERN,
            "description": SEGMENT_MEANING,
            "example": "DE",
        }
        # Made by a call, so that the document names no default that its own pattern refuses.
        super().__init__(load_default=str, metadata=described, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if problem := find_problem_of_segment(value):
            raise ValidationError(problem)
        segment: str = value
        return segment


def find_problem_of_segment(value: object) -> str | None:
    r"""Say why a value is no segment, if so.

    Examples
    --------
    >>> find_problem_of_segment("DE")
    >>> find_problem_of_segment(49)
    'expected a string, got a number'
    >>> find_problem_of_segment("a\nb")
    'expected 1 to 64 characters, no control character, and no blank at either end'
    """
    if not isinstance(value, str):
        return f"expected a string, got {json_type(value)}"
    if not _SEGMENT.fullmatch(value):
        return f"expected 1 to {SEGMENT_CHARACTERS} characters, no control character, and no blank at either end"
    return None


def read_segment(given: list[str]) -> str:
    """Take the segment from an address, which names it once or not at all.

    Parameters
    ----------
    given
        Each ``segment`` of the address.

    Raises
    ------
    InvalidPredictionRequest
        If it is none, or there are several.
    """
    if not given:
        return ""
    if len(given) > 1:
        raise refuse({"segment": [f"expected one, got {len(given)}"]})
    if problem := find_problem_of_segment(given[0]):
        raise refuse({"segment": [problem]})
    return given[0]
