"""The limits of labels and segments match the tables."""

from __future__ import annotations

from app.api import feedback
from app.db import tables
from app.web import fields as segment
from app.web.middleware import REQUEST_ID_PATTERN, is_valid_request_id


def test_limits_are_those_of_the_tables():
    """A label or a segment that is accepted can be stored."""
    assert segment.SEGMENT_CHARACTERS == tables.SEGMENT_CHARACTERS
    assert (feedback.SOURCE_CHARACTERS, feedback.NOTE_CHARACTERS) == (tables.SOURCE_CHARACTERS, tables.NOTE_CHARACTERS)
    assert f"{{1,{tables.REQUEST_ID_CHARACTERS}}}" in REQUEST_ID_PATTERN
    assert is_valid_request_id("x" * tables.REQUEST_ID_CHARACTERS)
    assert not is_valid_request_id("x" * (tables.REQUEST_ID_CHARACTERS + 1))
