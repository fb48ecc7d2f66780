"""Several workers notice the same thing; one of them reports it."""

from __future__ import annotations

import threading
from pathlib import Path

from app.metrics_folder import MetricsFolder
from app.reported_occasions import ReportedOccasions


def test_one_of_many_is_first(tmp_path: Path):
    """However close together they ask; another occasion has its own first."""
    begin = threading.Barrier(8)
    firsts: list[str] = []

    def ask() -> None:
        reported = ReportedOccasions(tmp_path)
        begin.wait()
        firsts.extend(occasion for occasion in ("one", "other") if reported.is_first(occasion))

    workers = [threading.Thread(target=ask) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(firsts) == ["one", "other"]


def test_without_a_shared_folder_everything_is_reported(tmp_path: Path):
    """By a process that is alone, and by those whose folder has gone."""
    for reported in (ReportedOccasions(None), ReportedOccasions(tmp_path / "gone")):
        assert reported.is_first("one")
        assert reported.is_first("one")


def test_next_service_reports_anew(tmp_path: Path):
    """A folder that outlives the service holds nothing that silences the next one."""
    assert ReportedOccasions(tmp_path).is_first("one")
    folder = MetricsFolder.claim(str(tmp_path))
    try:
        assert ReportedOccasions(tmp_path).is_first("one")
    finally:
        folder.release()
