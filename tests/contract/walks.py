"""Count the files on the three walks of docs/architecture.md by tracing real runs: ``python -m tests.contract.walks``.

A file is on a walk if one of its functions runs there. Not counted are settings and errors; what belongs to every
request (middleware, access log, record ids, HTTP metrics, the check of host, site and key); the recorder's periodic
work; what belongs to every training command (console, options, metrics); what describes a finished model to people
(report, pictures, explanations of training rows, summary); and templates.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# What docs/architecture.md promises.
MAX_FILES = {"prediction": 12, "record": 18, "training": 30}

_OF_EVERY_REQUEST = {
    "app/web/middleware.py",
    "app/web/access_log.py",
    "app/metrics/http.py",
    "app/db/ids.py",
    "app/api/operation.py",
    "app/api/access.py",
    "app/web/hosts.py",
    "app/web/auth.py",
    "app/web/key_file.py",
    "app/web/wrong_keys.py",
    "app/metrics/access.py",
    "app/server/client_address.py",
}
_OF_EVERY_COMMAND = {
    "training/console.py",
    "training/commands/options.py",
    "training/metrics/monitor.py",
    "training/metrics/publication.py",
}
# The report, the model card and the summary, which nothing in the bundle depends on.
_OF_THE_REPORT = {
    "app/model/counterfactual.py",
    "app/model/explain.py",
    "app/model/explain_kernels.py",
    "app/model/explain_trees.py",
    "app/model/explained_rows.py",
    "app/model/out_of_bag.py",
    "app/model/quantiles.py",
    "app/quality/intervals.py",
    "training/bundle/boundary.py",
    "training/bundle/boundary_plots.py",
    "training/bundle/picture.py",
    "training/bundle/plots.py",
    "training/bundle/report.py",
    "training/bundle/report_tables.py",
    "training/bundle/summary.py",
    "training/fitting/explain.py",
}
# What the recorder does every so often, whether rows arrive or not.
_PERIODIC = {
    "app/db/sqlite_maintenance.py",
    "app/recorder/status.py",
    "app/records/pending_labels.py",
    "app/records/retention.py",
    "app/records/stats.py",
}
_NOT_COUNTED = (
    _OF_EVERY_REQUEST
    | _OF_EVERY_COMMAND
    | _OF_THE_REPORT
    | _PERIODIC
    | {"app/settings.py", "app/errors.py", "training/errors.py"}
)

# Enough rows to calibrate drift detectors with a short run time.
_TRAINING_ROWS = 4_100

# CO_OPTIMIZED: set for functions, not for the bodies of modules and classes.
_IS_FUNCTION = 1


class _Tracer:
    """Collects the functions of ``app`` and ``training`` that run, also in threads started inside ``_tracing``.

    Parameters
    ----------
    first
        Path and name of the function at which collecting starts; by default it starts at once.
    """

    def __init__(self, first: tuple[str, str] | None = None) -> None:
        self.functions: set[tuple[str, str]] = set()
        self._first = first
        self._known: set[CodeType] = set()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Collect a call; the signature is that of ``sys.settrace``, which traces no lines if None is returned."""
        code = frame.f_code
        if code in self._known:
            return
        if self._first is None:
            self._known.add(code)
        if code.co_flags & _IS_FUNCTION and code.co_filename.startswith(str(ROOT)):
            path = Path(code.co_filename).relative_to(ROOT).as_posix()
            if self._first == (path, code.co_qualname):
                self._first = None
            if self._first is None and path.startswith(("app/", "training/")):
                self.functions.add((path, code.co_qualname))

    def clear(self) -> None:
        """Forget the functions so far."""
        self.functions.clear()
        self._known.clear()

    def files(self) -> list[str]:
        """Return the files of the functions."""
        return sorted({path for path, _ in self.functions if path.endswith(".py")} - _NOT_COUNTED)


@contextmanager
def _tracing(first: tuple[str, str] | None = None) -> Iterator[_Tracer]:
    """Trace this thread and those that it starts."""
    tracer = _Tracer(first)
    threading.settrace(tracer)
    sys.settrace(tracer)
    try:
        yield tracer
    finally:
        sys.settrace(None)
        threading.settrace(None)


def train(folder: Path) -> list[str]:
    """Train a model on a small file, and return the files on the way from a CSV row to the bundle."""
    import numpy as np

    from training.__main__ import main

    rows = np.random.default_rng(0).normal(size=(_TRAINING_ROWS, 2))
    np.savetxt(folder / "train.csv", rows, delimiter=",", header="mean,sd", comments="")
    arguments = ["train", "--train", str(folder / "train.csv"), "--models", str(folder / "models")]
    # From the checked command line on: each command declares its options before.
    with _tracing(first=("training/commands/train.py", "run")) as tracer:
        main([*arguments, "--estimators", "5", "--drift-ert", "100", "--drift-window", "2", "--metrics-port", "0"])
    return tracer.files()


def predict(folder: Path, content_type: str) -> list[str]:
    """Send one prediction request, and return the files between the parsed request and the serialized answer.

    Parameters
    ----------
    folder
        Holds ``models``.
    content_type
        ``application/json`` takes the fast path; with a parameter, the request goes through Flask.
    """
    from app import create_app
    from app.api.service import service_of
    from app.metrics.service import ServiceMetrics
    from app.recorder.client import RecorderClient
    from app.recorder.listener import listen
    from app.settings import Settings

    settings = Settings(
        model_dir=str(folder / "models"), database_url=f"sqlite:///{folder}/none.db", log_requests=False
    )
    app: Any = create_app(settings)
    parts = service_of(app)
    with closing(listen(folder)):
        assert isinstance(parts.metrics, ServiceMetrics)
        recorder = RecorderClient(folder, parts.metrics)
        object.__setattr__(parts, "recorder", recorder)  # a process without Gunicorn has none
        body = b'{"feature_vector": [0.5, 0.5], "score": true, "confidence": true, "segment": "web"}'
        client = app.test_client()

        def send() -> int:
            if content_type != "application/json":
                return int(client.post("/prediction", data=body, content_type=content_type).status_code)
            answer = app.fast_path.answer(
                "POST", "/prediction", "", [(b"content-type", content_type.encode())], body, ""
            )
            return int(answer.status) if answer else 0

        send()  # fills caches
        with _tracing() as tracer:
            status = send()
        assert status == 200
        parts.close()
    return tracer.files()


def record(folder: Path) -> list[str]:
    """Publish one row, and return the files on the way to the committed INSERT, whatever else runs there meanwhile."""
    import numpy as np
    from prometheus_client import CollectorRegistry

    from app.metrics.alarms import AlarmMetrics
    from app.metrics.recorder import RecorderMetrics
    from app.metrics.records import REASONS, FeedbackMetrics, RecordsMetrics
    from app.metrics.service import ServiceMetrics
    from app.model.bundle import read_bundle
    from app.model.scoring import score_rows
    from app.recorder.client import RecorderClient
    from app.recorder.listener import listen
    from app.recorder.records import start_writer
    from app.recorder.server import RecorderServer
    from app.recorder.server import record as run_recorder
    from app.settings import Settings
    from tests.records.running_writer import wait_until

    bundle = read_bundle((folder / "models" / "current").resolve())
    scored = score_rows(bundle, np.array([[0.5, 0.5]], np.float32))
    settings = Settings(model_dir=str(folder / "models"), database_url=f"sqlite:///{folder}/records/records.db")
    registry = CollectorRegistry()
    shutdown_read, shutdown_write = os.pipe()
    with _tracing() as tracer:
        server = RecorderServer(listen(folder), shutdown_read)
        metrics = RecorderMetrics(registry, ["mmd"], {"cvm": True})
        writer = start_writer(
            settings,
            folder,
            lambda: server.drained_until,
            metrics,
            RecordsMetrics(registry, REASONS, is_enabled=True),
            FeedbackMetrics(registry),
            AlarmMetrics(registry),
        )
        loop = threading.Thread(target=run_recorder, args=(server, [writer], folder))
        loop.start()
        client = RecorderClient(folder, ServiceMetrics(CollectorRegistry()))
        wait_until(lambda: registry.get_sample_value("records_up") == 1)  # the database is open
        tracer.clear()
        client.publish("request", bundle.version, scored, "0" * 32, "web")
        wait_until(lambda: registry.get_sample_value("recorder_rows_total", {"result": "recorded"}) == 1)
        files = tracer.files()
        client.close()
        os.close(shutdown_write)
        loop.join()
        server.close()
    os.close(shutdown_read)
    return files


def count_walks() -> dict[str, list[str]]:
    """Return the files on each walk; of the two paths of a prediction, the longer one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        training = train(folder)
        predictions = [predict(folder, kind) for kind in ("application/json", "application/json; charset=utf-8")]
        return {"prediction": max(predictions, key=len), "record": record(folder), "training": training}


if __name__ == "__main__":
    for walk, files in count_walks().items():
        print(f"{walk}: {len(files)} of at most {MAX_FILES[walk]} files")
        print(*(f"    {file}" for file in files), sep="\n")
