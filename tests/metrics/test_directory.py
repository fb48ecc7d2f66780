"""The metrics folder belongs to one service, starts empty, and is removed with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.errors import MetricsFolderTaken
from app.metrics import directory
from app.metrics.directory import MetricsFolder


def test_claim_removes_only_metric_files(tmp_path: Path):
    """A restart starts from zero and touches nothing else."""
    for name in ("counter_17.db", "gauge_livesum_17.db", "keep.txt"):
        (tmp_path / name).touch()

    folder = MetricsFolder.claim(str(tmp_path))

    assert sorted(file.name for file in tmp_path.iterdir()) == ["keep.txt", "owner.lock"]
    folder.release()


def test_folder_of_a_live_service_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two services in one folder would add up each other's metrics."""
    monkeypatch.setattr(directory, "_ORPHANS_SECONDS", 0.1)
    folder = MetricsFolder.claim(str(tmp_path))
    with pytest.raises(MetricsFolderTaken, match="another running service: name another folder"):
        MetricsFolder.claim(str(tmp_path))
    folder.release()

    MetricsFolder.claim(str(tmp_path)).release()


def test_folder_of_a_killed_service_is_free_again(tmp_path: Path):
    """The kernel releases the lock, however the owner ended."""
    claim = f"from app.metrics.directory import MetricsFolder as F; f = F.claim({str(tmp_path)!r})"
    code = f"{claim}; print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        # Workers that have just lost their arbiter hold the lock a moment longer: the restart waits for them.
        end = threading.Timer(0.3, owner.kill)
        end.start()
        MetricsFolder.claim(str(tmp_path)).release()
        end.join()


def test_temporary_folder_is_removed_at_the_end():
    """Nothing stays in memory after the service has ended."""
    folder = MetricsFolder.claim("")
    (folder.path / "counter_1.db").touch()
    assert folder.path.is_dir()

    folder.release()

    assert not folder.path.exists()


def test_abandoned_folder_is_removed_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The next service cleans up after a killed one, and leaves live and new folders alone."""
    monkeypatch.setattr(directory, "_MEMORY_FOLDER", tmp_path)
    abandoned, fresh = tmp_path / "isowatch-metrics-old", tmp_path / "isowatch-metrics-new"
    alive = MetricsFolder.claim("")
    for folder in (abandoned, fresh):
        folder.mkdir()
    an_hour_ago = time.time() - 3600
    for folder in (abandoned, alive.path):
        os.utime(folder, (an_hour_ago, an_hour_ago))

    MetricsFolder.claim("").release()

    assert sorted(tmp_path.iterdir()) == sorted([alive.path, fresh])
    alive.release()
