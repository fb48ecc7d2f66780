"""Metrics of retired models leave the exposition, and their counters never fall to anything but 0."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, values

from app.metrics.live_versions import mark_live
from app.metrics.metrics_file import MetricsFile, name_files_after
from app.metrics.multiprocess import MetricsArchive
from app.metrics.scrape import FolderMetrics
from app.metrics.service import NO_MODEL, SUCCESS, ServiceMetrics

_DAY = 86_400


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A metrics folder of this process."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setattr("prometheus_client.values.MmapedDict", MetricsFile)
    return tmp_path


class _Worker:
    """A worker within this process, with its own files."""

    def __init__(self, number: int) -> None:
        name_files_after(number)
        self._files = values.ValueClass
        self._metrics = ServiceMetrics(CollectorRegistry())

    def serve(self, folder: Path, version: str, requests: int = 1) -> None:
        """Load a model, and answer requests with it."""
        values.ValueClass = self._files  # of new series
        mark_live(folder, version)
        self._metrics.record_live_model("model", version, 1.0, 1.0, 0.1)
        for _ in range(requests):
            self._metrics.record_prediction_request(version, SUCCESS, 0.001)


def _retire(folder: Path, version: str, seconds: float) -> None:
    """Set back the time at which a model was last live."""
    [mark] = folder.glob(f"live-versions/*{version}")
    os.utime(mark, (time.time(), time.time() - seconds))


def _counts(folder: Path) -> dict[str, float]:
    """Return the successful requests of each model that a scrape shows."""
    samples = [sample for family in FolderMetrics(folder).read() for sample in family.samples]
    shown = {sample.labels["model_version"] for sample in samples if "model_version" in sample.labels}
    counts = {
        sample.labels["model_version"]: sample.value
        for sample in samples
        if sample.name == "model_prediction_requests_total" and sample.labels["status"] == SUCCESS
    }
    assert shown == {*counts, NO_MODEL}  # no other metric shows more models
    return counts


def test_retired_model_leaves_after_a_day(folder: Path):
    """All series with its version go; the live model's stay, however long it is live."""
    worker, metrics = _Worker(1), FolderMetrics(folder)
    worker.serve(folder, "old", 3)
    worker.serve(folder, "new", 2)
    _retire(folder, "old", _DAY - 60)
    assert _counts(folder) == {"old": 3, "new": 2}
    assert b'"old"' in metrics.write("", [])[0]

    _retire(folder, "old", _DAY + 60)

    assert _counts(folder) == {"new": 2}
    assert b'"old"' not in metrics.write("", [])[0]


def test_at_most_twenty_models_are_shown(folder: Path):
    """Those that were live last."""
    worker = _Worker(1)
    for number in range(25):
        worker.serve(folder, f"v{number:02}")
        _retire(folder, f"v{number:02}", 3600 - number)

    assert sorted(_counts(folder)) == [f"v{number:02}" for number in range(5, 25)]


def test_rollback_continues_the_counters_that_a_worker_still_has(folder: Path):
    """Without the archive's part, the worker's would be a lower value that is not 0, and be counted twice."""
    archive, ended, alive = MetricsArchive(folder), _Worker(1), _Worker(2)
    ended.serve(folder, "old", 5)
    alive.serve(folder, "old", 2)
    alive.serve(folder, "new")
    _retire(folder, "old", _DAY + 60)
    archive.fold(1)
    assert _counts(folder) == {"new": 1}

    alive.serve(folder, "old", 1)

    assert _counts(folder) == {"old": 8, "new": 1}


def test_rollback_starts_at_0_after_the_last_worker_with_the_model_has_ended(folder: Path):
    """Its series are dropped from the archive, so that it does not grow with every model."""
    archive, ended, alive = MetricsArchive(folder), _Worker(1), _Worker(2)
    ended.serve(folder, "old", 5)
    for worker in (ended, alive):
        worker.serve(folder, "new", 2)
    _retire(folder, "old", _DAY + 60)
    archive.fold(1)
    assert not any(b'"old"' in file.read_bytes() for file in folder.glob("*.db"))

    alive.serve(folder, "old", 0)

    assert _counts(folder) == {"old": 0, "new": 4}


def test_any_version_can_be_marked(folder: Path):
    """A version is text from a manifest, not a file name."""
    worker = _Worker(1)
    for version in ("..", "a/b", "v 1%", "ü"):
        worker.serve(folder, version)
    for mark in folder.glob("live-versions/*"):
        os.utime(mark, (0, 0))

    assert _counts(folder) == {}
