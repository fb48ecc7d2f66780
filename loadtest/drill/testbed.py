"""Start everything that a drill needs on this machine: replicas, Prometheus, Alertmanager, a webhook, exporters."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtest.drill.alert_poller import AlertPoller
from loadtest.drill.monitors import Monitors
from loadtest.drill.programs import RunningProgram
from loadtest.drill.replica import Replica
from loadtest.drill.time_scaling import TimeScaling
from loadtest.drill.trainings import Trainings
from loadtest.drill.webhook_sink import WebhookSink

# Workers per replica. Each replica is for one kind of failure, so that causes can be produced at the same time. Only
# the one with ordinary traffic and the one whose workers are killed have several workers.
_WORKERS = {"serving": 2, "hanging": 1, "modelless": 1, "recording": 1, "working": 2, "labelled": 1}

# RecorderDropsRows does not fire while records cannot be written, so the replica that drops rows writes none.
_WITHOUT_RECORDS = "hanging"

# The link that is redirected to take a replica's models away.
REPLACEABLE_MODELS = "replaceable-models"


@dataclass(frozen=True)
class Testbed:
    """The programs that causes act on.

    Parameters
    ----------
    folder
        Contains all files of the drill.
    replicas
        By the kind of failure that they are for.
    trainings
        Trains the replicas' models.
    prometheus
        The running Prometheus.
    alerts
        Its alerts.
    sink
        The webhook that receives Alertmanager's notifications.
    is_over
        Set when the drill ends, to stop all threads.
    """

    folder: Path
    replicas: dict[str, Replica]
    trainings: Trainings
    prometheus: RunningProgram
    alerts: AlertPoller
    sink: WebhookSink
    is_over: threading.Event

    def reload_prometheus(self) -> None:
        """Make Prometheus reload its configuration."""
        self.prometheus.send(signal.SIGHUP)

    @property
    def prometheus_file(self) -> Path:
        """Prometheus's configuration; the rules are in the folder ``rules`` next to it."""
        return self.folder / "prometheus.yml"

    @property
    def replaceable_models(self) -> Path:
        """A link to the folder of models, used only by the modelless replica."""
        return self.folder / REPLACEABLE_MODELS


@contextmanager
def running_testbed(folder: Path, scaling: TimeScaling) -> Iterator[Testbed]:
    """Start everything in an empty folder, wait until it is ready, and stop it after the block.

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
        prometheus, address = monitors.start_prometheus(targets, alertmanager, scaling)
        alerts = stack.enter_context(AlertPoller(address))
        is_over = threading.Event()
        stack.callback(is_over.set)
        yield Testbed(folder, replicas, trainings, prometheus, alerts, sink, is_over)


def _start_replicas(stack: ExitStack, folder: Path, models: Path) -> dict[str, Replica]:
    """Start all replicas with the same models; one of them reads them through a link that can be redirected."""
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
