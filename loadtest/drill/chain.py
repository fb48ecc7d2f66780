"""The whole watching chain on this machine: replicas, Prometheus, Alertmanager, a sink, and what else is found."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtest.drill.alert_watch import AlertWatch
from loadtest.drill.monitors import Monitors
from loadtest.drill.programs import RunningProgram
from loadtest.drill.replica import Replica
from loadtest.drill.time_scaling import TimeScaling
from loadtest.drill.trainings import Trainings
from loadtest.drill.webhook_sink import WebhookSink

# One for each illness, so that causes which would disturb each other need not wait for each other. Only that which is
# asked and that whose workers are killed have several workers.
_WORKERS = {"asked": 2, "hanging": 1, "modelless": 1, "recording": 1, "working": 2}

# Rows that pile up before a database are the illness of another: RecordsNotWritten then silences RecorderDropsRows.
_WITHOUT_RECORDS = "hanging"

# The link through which a replica loses its models.
REPLACEABLE_MODELS = "replaceable-models"


@dataclass(frozen=True)
class Chain:
    """What causes act on.

    Parameters
    ----------
    folder
        Takes everything that is written.
    replicas
        By what happens to them.
    trainings
        Train the models that the replicas answer with.
    prometheus
        The running program.
    alerts
        What it says.
    sink
        What Alertmanager told.
    is_over
        Set when the drill ends, so that no thread goes on.
    """

    folder: Path
    replicas: dict[str, Replica]
    trainings: Trainings
    prometheus: RunningProgram
    alerts: AlertWatch
    sink: WebhookSink
    is_over: threading.Event

    def reload_prometheus(self) -> None:
        """Let Prometheus read its files again."""
        self.prometheus.send(signal.SIGHUP)

    @property
    def prometheus_file(self) -> Path:
        """Prometheus's configuration; rules lie in the folder ``rules`` beside it."""
        return self.folder / "prometheus.yml"

    @property
    def replaceable_models(self) -> Path:
        """A link to the folder of models, which only the modelless replica follows."""
        return self.folder / REPLACEABLE_MODELS


@contextmanager
def running_chain(folder: Path, shrinking: TimeScaling) -> Iterator[Chain]:
    """Start the chain in an empty folder, wait until every part of it is ready, and end it.

    Raises
    ------
    DrillRefused
        If a program is missing or does not start.
    """
    with ExitStack() as stack:
        monitors = Monitors(folder, stack)
        optional = monitors.start_optional()
        trainings = Trainings(folder, pushgateway=optional.get("pushgateway", ""))
        stack.callback(trainings.end)
        trainings.train_live_model()
        replicas = _start_replicas(stack, folder, trainings.models)
        sink = stack.enter_context(WebhookSink())
        alertmanager = monitors.start_alertmanager(sink.url)
        targets = {job: [address] for job, address in optional.items()}
        targets["service"] = [replica.address for replica in replicas.values()]
        targets["model-training"] = trainings.addresses
        prometheus, address = monitors.start_prometheus(targets, alertmanager, shrinking)
        alerts = stack.enter_context(AlertWatch(address))
        is_over = threading.Event()
        stack.callback(is_over.set)
        yield Chain(folder, replicas, trainings, prometheus, alerts, sink, is_over)


def _start_replicas(stack: ExitStack, folder: Path, models: Path) -> dict[str, Replica]:
    """Start all replicas with the same models; one finds them through a link that can lead elsewhere."""
    link = folder / REPLACEABLE_MODELS
    link.symlink_to(models)
    replicas = {
        title: Replica(title, folder, link if title == "modelless" else models, workers, title != _WITHOUT_RECORDS)
        for title, workers in _WORKERS.items()
    }
    for replica in replicas.values():
        stack.callback(replica.end)
        replica.start()
    return replicas
