"""A service under load, a training run, and a Prometheus that monitors both, for the dashboards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.system.mixed_load import API_KEY, OUTLIER_DISTANCE, SEED, Habits, under_load
from tests.system.running_prometheus import RunningPrometheus, start_prometheus
from tests.system.running_service import REPOSITORY, RunningService, free_port, start_service, wait_until

# The minimum for calibrating drift detectors; the load has the same share of outliers, so nothing drifts.
ROWS, OUTLIERS = 4000, 80

# Calibrated within seconds; a window fills within a second.
DRIFT = ("--drift-ert", "1000", "--drift-window", "50")

# The example's forests have a hundred trees; fitting a thousand takes long enough to be visible.
TREES = 400

# A training run takes two seconds, several times that on a busy machine.
TRAINING_SECONDS = 120
STOP_SECONDS = 30

# The default of ``start_service``.
WORKERS = 2

# Recall needs labels of alarms and of audited inliers.
RECALL = 'model_quality{metric="recall"}'

# Share of inliers sampled for the audit: enough to have figures within seconds.
AUDIT_SHARE = 0.05


@dataclass(frozen=True)
class MonitoredService:
    """The service, its Prometheus, and the callers' habits."""

    service: RunningService
    prometheus: RunningPrometheus
    models: Path
    habits: Habits

    def is_swapped(self) -> bool:
        """Return whether both workers and the recorder have loaded the second model."""
        live = (self.models / "current").resolve().name
        swaps = self.service.metric("model_swaps_total", result="swapped")
        return swaps == WORKERS and self.service.get("/drift").json()["model_version"] == live

    def promote_broken_model(self) -> None:
        """Promote a copy of the live model with a changed byte, which every worker refuses."""
        live = (self.models / "current").resolve()
        broken = self.models / f"{live.name[:-8]}deadbeef"
        shutil.copytree(live, broken)
        forest = bytearray((broken / "forest.npz").read_bytes())
        forest[len(forest) // 2] ^= 1
        (broken / "forest.npz").write_bytes(forest)
        (self.models / "next").symlink_to(broken.name)
        os.replace(self.models / "next", self.models / "current")


@contextmanager
def start_monitored_service(
    folder: Path, programs: Mapping[str, Path], interval: str | None = None
) -> Iterator[MonitoredService]:
    """Start everything, with load on the service and a training run that produces a second model.

    ``programs`` contains prometheus, pushgateway and node_exporter; ``interval`` is that of ``start_prometheus``.
    """
    models = folder / "models"
    for seed, name in enumerate(("train", "test"), SEED):
        _write_rows(folder / f"{name}.csv", seed)
    assert _train(folder).wait(TRAINING_SECONDS) == 0
    ports = {job: free_port() for job in ("model-training", "pushgateway", "node")}
    with ExitStack() as stack:
        keys = folder / "keys"
        keys.write_text(f"load labeller {API_KEY}\n")
        settings = {"AUDIT_SHARE": str(AUDIT_SHARE), "API_KEYS_FILE": str(keys), "REPLICA_MONTHLY_COST": "40"}
        service = stack.enter_context(start_service(folder, models, **settings))
        service.session.headers["X-API-Key"] = API_KEY
        wait_until(lambda: service.get("/audit/next").ok, "the tables of records", service)
        habits = stack.enter_context(under_load(service.address))
        wait_until(lambda: _is_labelled(service), "labels", service)
        # A recorder computes figures five seconds after its start and then once a minute, which is too long to wait.
        os.kill(service.recorder(), signal.SIGKILL)
        for job, program in (("pushgateway", "pushgateway"), ("node", "node_exporter")):
            stack.enter_context(_running(programs[program], ports[job], folder / f"{job}.log"))
        targets = {job: f"127.0.0.1:{port}" for job, port in ports.items()}
        targets["service"] = service.address.removeprefix("http://")
        prometheus = stack.enter_context(start_prometheus(folder, programs["prometheus"], targets, interval))
        wait_until(lambda: prometheus.values('up{job="service"}') == [1], "the first scrape", service)
        wait_until(lambda: prometheus.query(f"{RECALL} >= 0"), "figures", service)
        # Only now, because a new model starts without figures, and Prometheus has to see some first.
        training = _train(
            folder,
            f"--estimators={TREES}",
            f"--metrics-port={ports['model-training']}",
            "--metrics-hold=3600",
            "--promote",
            PUSHGATEWAY_URL=f"http://127.0.0.1:{ports['pushgateway']}",
        )
        stack.callback(_end, training)
        _wait_for_success(prometheus)
        yield MonitoredService(service, prometheus, models, habits)


def _wait_for_success(prometheus: RunningPrometheus) -> None:
    """Wait until the training has ended; it goes on serving its metrics."""
    deadline = time.monotonic() + TRAINING_SECONDS
    while not prometheus.query('training_last_success_timestamp_seconds{job="model-training"}'):
        assert time.monotonic() < deadline, "the training has not ended"
        time.sleep(1)


def _is_labelled(service: RunningService) -> bool:
    """Return whether alarms and audited inliers have labels."""
    return all(service.metric("feedback_total", predicted=answer) > 0 for answer in ("outlier", "inlier"))


def _write_rows(path: Path, seed: int) -> None:
    """Write rows of two numbers with their true label."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(ROWS, 2))
    rows[:OUTLIERS] += OUTLIER_DISTANCE
    lines = [f"{mean},{sd},{int(place < OUTLIERS)}" for place, (mean, sd) in enumerate(rows.tolist())]
    path.write_text("\n".join(["mean,sd,is_outlier", *lines, ""]))


def _train(folder: Path, *options: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start a training run with the labelled rows in a folder."""
    files = [
        "--train",
        str(folder / "train.csv"),
        "--test",
        str(folder / "test.csv"),
        "--models",
        str(folder / "models"),
    ]
    known = ["--label", "is_outlier", "--contamination", str(OUTLIERS / ROWS), *DRIFT]
    return subprocess.Popen(
        [sys.executable, "-m", "training", "train", *files, *known, *options],
        cwd=REPOSITORY,
        env={**os.environ, "TRAINING_METRICS_PORT": "0", **environment},
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def _running(program: Path, port: int, log: Path) -> Iterator[None]:
    """Run an exporter while the block runs."""
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            [program, f"--web.listen-address=127.0.0.1:{port}"], stdout=log_file, stderr=log_file
        )
    try:
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process and wait for its end."""
    process.terminate()
    process.wait(STOP_SECONDS)
