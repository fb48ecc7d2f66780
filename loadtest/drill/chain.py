"""The whole watching chain on this machine: replicas, Prometheus, Alertmanager, a sink, and what else is found."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtest.drill.alert_watch import AlertWatch
from loadtest.drill.configurations import write_alertmanager_file, write_prometheus_files
from loadtest.drill.programs import (
    HOST,
    RunningProgram,
    answers,
    environment,
    find_program,
    free_port,
    require_program,
    wait_until,
)
from loadtest.drill.replica import Replica
from loadtest.drill.shrinking import Shrinking
from loadtest.drill.trainings import Trainings
from loadtest.drill.webhook_sink import WebhookSink

# One for each illness, so that causes which would disturb each other need not wait for each other. Only that which is
# asked and that whose workers are killed have several workers.
_WORKERS = {"asked": 2, "hanging": 1, "modelless": 1, "recording": 1, "working": 2}


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
        return self.folder / "replaceable-models"


@contextmanager
def running_chain(folder: Path, shrinking: Shrinking) -> Iterator[Chain]:
    """Start the chain in an empty folder, wait until it watches and all alerts but Watchdog are quiet, and end it.

    Raises
    ------
    DrillRefused
        If a program is missing or does not start.
    """
    prometheus_program = require_program("prometheus")
    alertmanager_program = require_program("alertmanager", "prometheus-alertmanager")
    with ExitStack() as stack:
        optional = {
            job: _start_optional(stack, folder, job, find_program(*names))
            for job, names in {
                "pushgateway": ("pushgateway", "prometheus-pushgateway"),
                "node": ("node_exporter", "prometheus-node-exporter"),
            }.items()
        }
        trainings = Trainings(folder, pushgateway=optional["pushgateway"])
        stack.callback(trainings.end)
        trainings.train_live_model()
        (folder / "replaceable-models").symlink_to(trainings.models)
        replicas = {
            title: Replica(
                title, folder, folder / "replaceable-models" if title == "modelless" else trainings.models, workers
            )
            for title, workers in _WORKERS.items()
        }
        for replica in replicas.values():
            stack.callback(replica.end)
            replica.start()
        sink = stack.enter_context(WebhookSink())
        ports = {"prometheus": free_port(), "alertmanager": free_port()}
        addresses = {title: f"{HOST}:{port}" for title, port in ports.items()}
        alertmanager = RunningProgram(
            "alertmanager",
            [
                alertmanager_program,
                f"--config.file={write_alertmanager_file(folder, sink.url)}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address={addresses['alertmanager']}",
                # There is one; no other to gossip with.
                "--cluster.listen-address=",
            ],
            folder / "alertmanager.log",
            environment(),
        )
        stack.callback(alertmanager.end)
        targets = {job: [address] for job, address in (addresses | optional).items() if address}
        targets |= {
            "service": [replica.address for replica in replicas.values()],
            "model-training": trainings.addresses,
        }
        prometheus = RunningProgram(
            "prometheus",
            [
                prometheus_program,
                f"--config.file={write_prometheus_files(folder, targets, addresses['alertmanager'], shrinking)}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address={addresses['prometheus']}",
                # What Alertmanager did not hear is told again, as shipped after a minute.
                f"--rules.alert.resend-delay={shrinking.duration('1m')}",
            ],
            folder / "prometheus.log",
            environment(),
        )
        stack.callback(prometheus.end)
        for program in (alertmanager, prometheus):
            address = addresses[program.title]

            def is_ready(program: RunningProgram = program, address: str = address) -> bool:
                program.require_alive()
                return answers(address, "/-/ready")

            wait_until(is_ready, f"http://{address}/-/ready of {program.title}")
        is_over = threading.Event()
        alerts = stack.enter_context(AlertWatch(addresses["prometheus"]))
        stack.callback(is_over.set)
        yield Chain(folder, replicas, trainings, prometheus, alerts, sink, is_over)


def _start_optional(stack: ExitStack, folder: Path, title: str, program: str | None) -> str:
    """Start a program that not everybody has; give its address, or nothing."""
    if program is None:
        return ""
    address = f"{HOST}:{free_port()}"
    running = RunningProgram(
        title, [program, f"--web.listen-address={address}"], folder / f"{title}.log", environment()
    )
    stack.callback(running.end)
    wait_until(lambda: answers(address, "/metrics"), f"http://{address}/metrics of {title}")
    return address
