"""What log lines look like. Only the standard library is imported: Gunicorn's configuration uses this file."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

# What every record has; whatever else it carries was given by `extra` and belongs into the line.
_ALWAYS_THERE = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, what ``extra`` gave, and the traceback if any.

    Examples
    --------
    >>> record = logging.makeLogRecord({"msg": "took %s ms", "args": (3,), "created": 0, "request_id": "a1"})
    >>> record.levelname, record.name = "INFO", "isowatch"
    >>> print(JSONFormatter().format(record))  # doctest: +NORMALIZE_WHITESPACE
    {"time": "1970-01-01T00:00:00.000+00:00", "level": "info", "logger": "isowatch", "message": "took 3 ms",
    "request_id": "a1"}
    """

    def format(self, record: logging.LogRecord) -> str:
        """Lay out one record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _ALWAYS_THERE}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # A value that JSON does not know is written as Python shows it, rather than losing the line.
        return json.dumps(line, default=repr, ensure_ascii=False)


def log_configuration(as_text: bool, level: str) -> dict[str, Any]:
    """Configure the logs of a process of the service, for ``logging.config.dictConfig``.

    Parameters
    ----------
    as_text
        Write for people instead of as JSON.
    level
        Least severe messages that are logged.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"},
            "json": {"()": "app.server.log_config.JSONFormatter"},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "text" if as_text else "json",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": {"level": level.upper(), "handlers": ["stderr"], "propagate": False}},
    }
