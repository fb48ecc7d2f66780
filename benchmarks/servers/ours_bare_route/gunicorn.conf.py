"""The service's Gunicorn settings without its hooks, which need the service's own application."""

import runpy
from pathlib import Path

_SHIPPED = runpy.run_path(str(Path(__file__).parents[3] / "gunicorn.conf.py"))
_SETTINGS = (
    "bind",
    "workers",
    "threads",
    "timeout",
    "graceful_timeout",
    "keepalive",
    "worker_tmp_dir",
    "control_socket_disable",
)
globals().update({name: _SHIPPED[name] for name in _SETTINGS})

# The service's own worker needs the service.
worker_class = "gthread"
