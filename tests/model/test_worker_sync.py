"""Several workers notice the same thing, and one reports it; one that starts late learns what is live."""

from __future__ import annotations

import threading
from pathlib import Path

from app.metrics.directory import MetricsFolder
from app.model.worker_sync import WorkerSync


def test_one_of_many_is_first(tmp_path: Path):
    """However close together they ask; another occasion has its own first."""
    begin = threading.Barrier(8)
    firsts: list[str] = []

    def ask() -> None:
        notes = WorkerSync(tmp_path)
        begin.wait()
        firsts.extend(occasion for occasion in ("one", "other") if notes.is_first(occasion))

    workers = [threading.Thread(target=ask) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(firsts) == ["one", "other"]


def test_without_a_shared_folder_everything_is_reported(tmp_path: Path):
    """By a process that is alone, and by those whose folder has gone."""
    for notes in (WorkerSync(None), WorkerSync(tmp_path / "gone")):
        assert notes.is_first("one")
        assert notes.is_first("one")


def test_next_service_reports_anew(tmp_path: Path):
    """A folder that outlives the service holds nothing that silences the next one."""
    assert WorkerSync(tmp_path).is_first("one")
    WorkerSync(tmp_path).record_live(tmp_path / "first")
    folder = MetricsFolder.claim(str(tmp_path))
    try:
        assert WorkerSync(tmp_path).is_first("one")
        assert WorkerSync(tmp_path).read_live() is None
    finally:
        folder.release()


def test_last_live_bundle_is_found_by_others(tmp_path: Path):
    """Where there is no folder to share, nothing is noted and nothing fails."""
    assert WorkerSync(tmp_path).read_live() is None
    for name in ("first", "second"):
        WorkerSync(tmp_path).record_live(tmp_path / name)
        assert WorkerSync(tmp_path).read_live() == tmp_path / name

    for alone in (WorkerSync(None), WorkerSync(tmp_path / "gone")):
        alone.record_live(tmp_path / "first")
        assert alone.read_live() is None
