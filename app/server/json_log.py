"""Log lines as JSON."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

_FIELDS = ("asctime", "levelname", "name", "message")
_RENAMED = {"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "traceback"}


class JSONFormatter(JsonFormatter):
    """One JSON object per line: time (UTC), level, logger, message, the fields in ``extra``, and any traceback.

    Examples
    --------
    >>> record = logging.makeLogRecord({"msg": "took %s ms", "args": (3,), "created": 0, "request_id": "a1"})
    >>> record.levelname, record.name = "INFO", "isowatch"
    >>> print(JSONFormatter().format(record))  # doctest: +NORMALIZE_WHITESPACE
    {"time": "1970-01-01T00:00:00.000Z", "level": "info", "logger": "isowatch", "message": "took 3 ms",
    "request_id": "a1"}
    """

    def __init__(self) -> None:
        # A value that JSON cannot represent is written as Python shows it, so that the line is not lost.
        super().__init__(_FIELDS, rename_fields=_RENAMED, json_default=repr, json_ensure_ascii=False)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """Return the time of a record as RFC 3339 in UTC, to the millisecond."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Write the level in lower case."""
        return log_data | {"level": log_data["level"].lower()}
