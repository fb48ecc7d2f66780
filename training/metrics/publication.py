"""Publish the metrics of a training: serve them while it runs, and push them to a Pushgateway when it ends.

Memory and CPU usage are measured in a thread of their own.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException

import psutil
from prometheus_client import CollectorRegistry, pushadd_to_gateway, start_http_server

from training.console import announce, warn
from training.errors import BadArgument
from training.metrics.monitor import TrainingMonitor

# Where Prometheus looks for a training of this machine, unless another port is chosen.
DEFAULT_PORT = 8002

# Far more often than Prometheus scrapes, and far too seldom to slow the training down.
SAMPLE_SECONDS = 0.5


@contextmanager
def sample_usage(record: Callable[[int, float], None], every_seconds: float = SAMPLE_SECONDS) -> Iterator[None]:
    """Measure at the start, at the end, and every ``every_seconds`` in between.

    Parameters
    ----------
    record
        Called with the resident memory in bytes, and the CPU usage since the previous call, where 100 is one core.
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

    measure()  # psutil returns 0 % CPU the first time, as it has nothing to compare with
    thread = threading.Thread(target=measure_until_stopped, name="usage", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        measure()


@contextmanager
def serve_metrics(registry: CollectorRegistry, host: str, port: int | None) -> Iterator[int]:
    """Answer scrapes in the background.

    Parameters
    ----------
    registry
        The metrics to serve.
    host, port
        The address to listen on; port 0 serves nothing, and None uses port 8002 if it is free.

    Returns
    -------
    The port; 0 if nothing is served.

    Raises
    ------
    BadArgument
        If the chosen address is taken or cannot be used.
    """
    if port == 0:
        yield 0
        return
    try:
        server, thread = start_http_server(port or DEFAULT_PORT, host, registry)
    except OSError as error:
        if port is None:
            # Nobody asked for this port: two trainings at once are no reason to refuse one.
            warn(
                f"{host}:{DEFAULT_PORT} cannot be listened on ({error.strerror}), so the metrics of this training are "
                "not served; --metrics-port chooses another port."
            )
            yield 0
            return
        raise BadArgument(
            f"--metrics-port {port}: {host}:{port} cannot be listened on ({error.strerror}); "
            "name another port, or 0 for no metrics."
        ) from None
    try:
        yield port or DEFAULT_PORT
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# The Pushgateway groups by job and model name, so that two models do not overwrite each other.
_JOB = "training"

# A training that is done waits no longer for a Pushgateway that does not answer.
_PUSH_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class MetricsPublication:
    """Where and for how long the metrics of a training are published.

    Parameters
    ----------
    host, port
        The address to scrape; port 0 for none, None for port 8002 if it is free.
    hold_seconds
        How long the address still answers after the training has ended or failed.
    pushgateway_url
        Where the final metrics are pushed; empty for nowhere.
    model_name
        Name of the model.
    """

    host: str
    port: int | None
    hold_seconds: float
    pushgateway_url: str
    model_name: str

    @contextmanager
    def publish(self, monitor: TrainingMonitor) -> Iterator[None]:
        """Serve, measure and push the metrics of the training that runs in the block.

        Raises
        ------
        BadArgument
            Before anything else, if the chosen address cannot be used.
        """
        with serve_metrics(monitor.registry, self.host, self.port) as port:
            hold = True
            try:
                with sample_usage(monitor.record_usage):
                    yield
            except (KeyboardInterrupt, SystemExit):
                hold = False  # the user wants it to end now
                raise
            finally:
                # The run is over: a signal ends the waiting and does not change the exit status.
                with suppress(KeyboardInterrupt, SystemExit):
                    self._push(monitor)
                    if hold:
                        self._hold(port)

    def _push(self, monitor: TrainingMonitor) -> None:
        """Push the metrics; a Pushgateway that cannot be reached does not fail the training."""
        if not self.pushgateway_url:
            return
        try:
            # Adding leaves metrics that this run does not have: after a failure, the time of the last success.
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

    def _hold(self, port: int) -> None:
        """Keep serving the metrics for a while."""
        if not port or not self.hold_seconds:
            return
        announce(f"Metrics stay on http://{self.host}:{port}/metrics for {self.hold_seconds:g} s")
        time.sleep(self.hold_seconds)
