"""The configuration of logs.

Gunicorn's configuration and the recorder's supervisor use this file, so it imports only the standard library.
"""

from __future__ import annotations

from typing import Any

_TEXT_FORMATTER = {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"}

# Named by its path, so that it is imported only if log lines are JSON.
_JSON_FORMATTER = {"()": "app.server.json_log.JSONFormatter"}


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
        "formatters": {"lines": _TEXT_FORMATTER if as_text else _JSON_FORMATTER},
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
