"""Every log line is one JSON object, whatever is logged."""

from __future__ import annotations

import json
import logging

from app.server.json_log import JSONFormatter


def _format(**parts: object) -> dict[str, object]:
    line = JSONFormatter().format(logging.makeLogRecord({"levelname": "INFO", "name": "test", **parts}))
    assert "\n" not in line
    loaded: dict[str, object] = json.loads(line)
    return loaded


def test_extra_values_become_fields():
    """Values in `extra` are fields of their own, and the message stays readable."""
    line = _format(msg="took %(milliseconds)s ms", args={"milliseconds": 3}, milliseconds=3)

    assert line["message"] == "took 3 ms"
    assert line["milliseconds"] == 3


def test_traceback_stays_in_the_line():
    """An error is logged in one line that includes its traceback."""
    try:
        raise RuntimeError("broken\nin two lines")
    except RuntimeError as error:
        line = _format(msg="unexpected", exc_info=(type(error), error, error.__traceback__))

    assert "RuntimeError: broken" in str(line["traceback"])


def test_value_that_json_cannot_represent_is_written_as_text():
    """No line is lost because of the type of a value."""
    assert _format(msg="x", thing={1, 2})["thing"] == "{1, 2}"
