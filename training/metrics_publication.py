"""Making the metrics of a training known: to whoever scrapes while it runs, and to a Pushgateway at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException

from prometheus_client import pushadd_to_gateway

from training.metrics_server import serve_metrics
from training.monitor import TrainingMonitor
from training.progress import announce
from training.usage_sampler import sample_usage

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
