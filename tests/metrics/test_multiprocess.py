"""Counts of dead workers are kept, in one file per kind, whatever happens to the files."""

from __future__ import annotations

import fcntl
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

from app.metrics.multiprocess import MetricsArchive
from app.metrics.scrape import FolderMetrics, describe_folder

_SERVICE = """
import sys
from app.metrics.metrics_file import name_files_after
name_files_after(int(sys.argv[1]))
from prometheus_client import Counter
Counter("requests", "Requests.").inc(5)
"""


class _Worker:
    """A worker within this process, with its own files and metrics."""

    def __init__(self, folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
        monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue(process_identifier=lambda: number))
        registry = CollectorRegistry()
        self.requests = Counter("requests", "Requests.", ("status",), registry=registry)
        self.seconds = Histogram("seconds", "Seconds.", buckets=(1, 2), registry=registry)
        self.alive = Gauge("workers", "Workers.", registry=registry, multiprocess_mode="livesum")
        self.requests.labels("ok")
        self.alive.set(1)


def _totals(folder: Path) -> dict[str, float]:
    """Return the totals as a scrape reads them."""
    samples = [sample for metric in FolderMetrics(folder).read() for sample in metric.samples]
    return {f"{s.name}{sorted(s.labels.items()) or ''}": s.value for s in samples}


def _about(folder: Path, name: str) -> float:
    """Return a metric about the folder itself."""
    [family] = [family for family in describe_folder(folder, recorder_beats=True) if family.name == name]
    return family.samples[0].value


@given(st.data())
@settings(max_examples=25)
def test_totals_never_fall_and_files_stay_few(tmp_path_factory, data):
    """Workers start, count and end in any order; each scrape sees everything that was ever counted."""
    folder = tmp_path_factory.mktemp("metrics")
    archive, alive, counted, observed = MetricsArchive(folder), {}, 0, 0
    with pytest.MonkeyPatch.context() as monkeypatch:
        for number in range(12):
            alive[number] = _Worker(folder, number, monkeypatch)
            worker = alive[data.draw(st.sampled_from(sorted(alive)))]
            amount = data.draw(st.integers(0, 5))
            worker.requests.labels("ok").inc(amount)
            counted += amount
            for second in data.draw(st.lists(st.sampled_from([0.5, 1.5, 9.0]), max_size=3)):
                worker.seconds.observe(second)
                observed += 1
            if data.draw(st.booleans()):
                number = data.draw(st.sampled_from(sorted(alive)))
                del alive[number]
                archive.fold(number)

            totals = _totals(folder)
            assert totals["requests_total[('status', 'ok')]"] == counted
            assert totals["seconds_count"] == totals["seconds_bucket[('le', '+Inf')]"] == observed
            assert totals.get("workers", 0) == len(alive)
            assert _about(folder, "metrics_files") <= (len(alive) + 1) * 3  # counter, histogram, gauge


def test_folding_needs_no_process_id(tmp_path: Path):
    """Real processes name their files after the numbers that they were given."""
    archive = MetricsArchive(tmp_path)
    for number in (1, 2, 3):
        environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", _SERVICE, str(number)], env=environment, check=True)
        assert (tmp_path / f"counter_{number}.db").exists()
        archive.fold(number)

    assert _totals(tmp_path) == {"requests_total": 15}
    [archive_file] = tmp_path.glob("*.db")
    assert archive_file.name.startswith("counter_archive")


def test_arbiter_does_not_wait_for_a_stuck_scrape(tmp_path, monkeypatch):
    """A worker that hangs with the lock postpones the fold; nothing is lost or counted twice meanwhile."""
    worker = _Worker(tmp_path, 1, monkeypatch)
    worker.requests.labels("ok").inc(7)
    archive = MetricsArchive(tmp_path)
    with (tmp_path / "fold.lock").open("w") as stuck:
        fcntl.flock(stuck, fcntl.LOCK_SH)
        archive.fold(1)

        assert (tmp_path / "counter_1.db").exists()
        assert _totals(tmp_path)["requests_total[('status', 'ok')]"] == 7
    archive.fold_postponed()

    assert not (tmp_path / "counter_1.db").exists()
    assert _totals(tmp_path) == {
        "requests_total[('status', 'ok')]": 7,
        "seconds_bucket[('le', '1.0')]": 0,
        "seconds_bucket[('le', '2.0')]": 0,
        "seconds_bucket[('le', '+Inf')]": 0,
        "seconds_count": 0,
        "seconds_sum": 0,
    }


@pytest.mark.parametrize("who_finds_it", ["a scrape", "the arbiter"])
def test_broken_file_is_quarantined(tmp_path, monkeypatch, caplog, who_finds_it: str):
    """A broken file only loses its own metrics; the scrape succeeds."""
    for number in (1, 2):
        _Worker(tmp_path, number, monkeypatch).requests.labels("ok").inc(number)
    broken = tmp_path / "counter_1.db"
    broken.write_bytes(broken.read_bytes()[:8] + random.Random(16).randbytes(500))
    if who_finds_it == "the arbiter":
        MetricsArchive(tmp_path).fold(1)

    assert _totals(tmp_path)["requests_total[('status', 'ok')]"] == 2
    assert _about(tmp_path, "metrics_files_quarantined") == 1
    assert "quarantined" in caplog.text
    assert _totals(tmp_path)["requests_total[('status', 'ok')]"] == 2


def test_file_that_is_being_created_is_not_broken(tmp_path: Path):
    """A worker creates its file empty and fills it shortly afterwards."""
    (tmp_path / "counter_5.db").touch()

    assert FolderMetrics(tmp_path).read() == []
    assert _about(tmp_path, "metrics_files_quarantined") == 0


def test_unfinished_archive_is_not_read(tmp_path, monkeypatch):
    """An arbiter that dies while writing leaves a file that no scrape reads."""
    _Worker(tmp_path, 1, monkeypatch).requests.labels("ok").inc()
    (tmp_path / "counter_archive.tmp").write_bytes((tmp_path / "counter_1.db").read_bytes())

    assert _totals(tmp_path)["requests_total[('status', 'ok')]"] == 1
