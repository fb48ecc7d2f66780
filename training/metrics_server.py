"""The address on which Prometheus finds the metrics of a training while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from training.errors import BadArgument

# How long a training may take longer because its server has to notice the end.
_STOP_SECONDS = 0.05


@contextmanager
def serve_metrics(registry: CollectorRegistry, host: str, port: int) -> Iterator[None]:
    """Answer scrapes in the background.

    Parameters
    ----------
    registry
        What to tell.
    host, port
        The address to listen on; no port (0) means that nobody can ask.

    Raises
    ------
    BadArgument
        If the address is taken or cannot be had.
    """
    if not port:
        yield
        return
    try:
        server = make_server(host, port, make_wsgi_app(registry), ThreadingWSGIServer, _QuietHandler)
    except OSError as error:
        raise BadArgument(
            f"--metrics-port {port}: {host}:{port} cannot be listened on ({error.strerror}); "
            "name another port, or 0 for no metrics."
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(_STOP_SECONDS,), name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _QuietHandler(WSGIRequestHandler):
    """Answers without a line on standard error, where a person watches the training."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""
