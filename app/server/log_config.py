"""The configuration of logs.

Gunicorn's configuration and the recorder's supervisor use this file, so it loads nothing but the standard library and
:mod:`app.errors`.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from app.server.missing_package import explain_missing_package

_TEXT_FORMATTER = {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"}


def _make_json_formatter() -> logging.Formatter:
    """Create the JSON formatter, which is imported only if log lines are JSON."""
    try:
        from app.server.json_log import JSONFormatter
    except ModuleNotFoundError as error:
        # Here, because logging would report only that it cannot configure a formatter.
        sys.exit(f"isowatch: {explain_missing_package(error)}")
    return JSONFormatter()


def log_configuration(as_text: bool, level: str) -> dict[str, Any]:
    """Return the configuration of a process's logs, for ``logging.config.dictConfig``.

    Parameters
    ----------
    as_text
        Write text for people instead of JSON.
    level
        Least severe level that is logged.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": _TEXT_FORMATTER if as_text else {"()": _make_json_formatter}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "lines",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": {"level": level.upper(), "handlers": ["stderr"], "propagate": False}},
    }
