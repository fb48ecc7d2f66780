"""Making the metrics of a training known: to whoever scrapes while it runs, and to a Pushgateway at its end.

How much memory and CPU time this process takes, measured beside its work.

The address on which Prometheus finds the metrics of a training while it runs.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import psutil
from prometheus_client import CollectorRegistry, make_wsgi_app, pushadd_to_gateway
from prometheus_client.exposition import ThreadingWSGIServer

from training.console import announce
from training.errors import BadArgument
from training.metrics.monitor import TrainingMonitor

# Far more often than anybody scrapes, far less than would be felt.
SAMPLE_SECONDS = 0.5


@contextmanager
def sample_usage(record: Callable[[int, float], None], every_seconds: float = SAMPLE_SECONDS) -> Iterator[None]:
    """Measure at the start, at the end, and every so many seconds in between.

    Parameters
    ----------
    record
        Called with the resident memory in bytes, and the CPU time since the call before as a share of one core
        times 100.
    every_seconds
        Time between two measurements.
    """
    process = psutil.Process()
    stopping = threading.Event()

    def measure() -> None:
        record(process.memory_info().rss, process.cpu_percent())

    def measure_until_stopped() -> None:
        while not stopping.wait(every_seconds):
            measure()

    measure()  # psutil tells 0 % of CPU the first time: there is nothing before to compare with
    thread = threading.Thread(target=measure_until_stopped, name="usage", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        measure()


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


# What the Pushgateway groups by, beside the model's name: two models do not overwrite each other.
_JOB = "training"

# A model that is trained and live shall not wait longer for a Pushgateway that does not answer.
_PUSH_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class MetricsPublication:
    """Where and for how long the metrics of a training can be had.

    Parameters
    ----------
    host, port
        The address to scrape; port 0 for none.
    hold_seconds
        How long it still answers after the training has ended, well or not.
    pushgateway_url
        Where the metrics are pushed in the end; empty for nowhere.
    model_name
        What the model is called.
    """

    host: str
    port: int
    hold_seconds: float
    pushgateway_url: str
    model_name: str

    @contextmanager
    def publish(self, monitor: TrainingMonitor) -> Iterator[None]:
        """Serve, measure and push the metrics of the training that takes place inside.

        Raises
        ------
        BadArgument
            Before anything else, if the address cannot be had.
        """
        with serve_metrics(monitor.registry, self.host, self.port):
            hold = True
            try:
                with sample_usage(monitor.record_usage):
                    yield
            except (KeyboardInterrupt, SystemExit):
                hold = False  # somebody wants it to end now
                raise
            finally:
                # The run is over: a signal ends the waiting, and changes nothing of how the run ended.
                with suppress(KeyboardInterrupt, SystemExit):
                    self._push(monitor)
                    if hold:
                        self._hold()

    def _push(self, monitor: TrainingMonitor) -> None:
        """Push; a Pushgateway that cannot be reached does not make a good training a failed one."""
        if not self.pushgateway_url:
            return
        try:
            # Adding keeps what this run does not tell: after a failure, when the last success was.
            pushadd_to_gateway(
                self.pushgateway_url,
                _JOB,
                monitor.registry,
                {"model_name": self.model_name},
                timeout=_PUSH_TIMEOUT_SECONDS,
            )
        except (OSError, ValueError, HTTPException) as error:
            print(
                f"training: the metrics could not be pushed to PUSHGATEWAY_URL ({error}); the model is not affected.",
                file=sys.stderr,
            )

    def _hold(self) -> None:
        """Keep the metrics where they are for a while."""
        if not self.port or not self.hold_seconds:
            return
        announce(f"Metrics stay on http://{self.host}:{self.port}/metrics for {self.hold_seconds:g} s")
        time.sleep(self.hold_seconds)
