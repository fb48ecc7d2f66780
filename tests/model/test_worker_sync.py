"""Only one of several workers logs a refusal, and a worker that starts late learns which bundle is live."""

from __future__ import annotations

import threading
from pathlib import Path

from app.metrics.directory import MetricsFolder
from app.model.worker_sync import WorkerSync


def test_only_one_process_is_first(tmp_path: Path):
    """Even if they call at the same time; another occasion has its own first."""
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


def test_without_a_shared_folder_every_call_is_first(tmp_path: Path):
    """In a single process, and if the folder is gone."""
    for notes in (WorkerSync(None), WorkerSync(tmp_path / "gone")):
        assert notes.is_first("one")
        assert notes.is_first("one")


def test_next_service_starts_without_the_information(tmp_path: Path):
    """A folder that outlives the service must not silence the next one."""
    assert WorkerSync(tmp_path).is_first("one")
    WorkerSync(tmp_path).record_live(tmp_path / "first")
    folder = MetricsFolder.claim(str(tmp_path))
    try:
        assert WorkerSync(tmp_path).is_first("one")
        assert WorkerSync(tmp_path).read_live() is None
    finally:
        folder.release()


def test_last_live_bundle_is_found_by_others(tmp_path: Path):
    """Without a shared folder, nothing is stored and nothing fails."""
    assert WorkerSync(tmp_path).read_live() is None
    for name in ("first", "second"):
        WorkerSync(tmp_path).record_live(tmp_path / name)
        assert WorkerSync(tmp_path).read_live() == tmp_path / name

    for alone in (WorkerSync(None), WorkerSync(tmp_path / "gone")):
        alone.record_live(tmp_path / "first")
        assert alone.read_live() is None
