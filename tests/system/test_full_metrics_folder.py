"""A full metrics folder costs metrics, never an answer, and the service says so until there is space again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

ROW = [0.56, 0.23]


@pytest.fixture
def small_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory of 4 MB; skipped where nothing can be mounted, which fails in CI."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        reason = f"a tmpfs cannot be mounted: {mounted.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_service_survives_a_full_metrics_folder(tmp_path: Path, small_folder: Path, credits_models: Path):
    """A worker that starts without space answers and is missing from scrapes; the next one with space is complete."""
    with start_service(tmp_path, credits_models, PROMETHEUS_MULTIPROC_DIR=str(small_folder)) as service:
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)
        wait_until(lambda: service.metric("recorder_up") == 1, "the recorder", service)
        assert service.predict(ROW).status_code == 200
        assert service.metric("metrics_files_out_of_space") == 0
        counted = service.metric("predictions_scores_count")

        _fill(small_folder / "filler")
        _replace_worker(service)
        wait_until(lambda: service.metric("metrics_files_out_of_space") > 0, "the lack of space to show", service)
        _fill(small_folder / "more")
        _replace_worker(service)
        for _ in range(20):
            service.session.close()  # a new connection, so that both workers answer
            assert service.predict(ROW).status_code == 200
        assert service.metric("predictions_scores_count") >= counted
        assert service.metric("recorder_up") == 1
        assert "No space left on device" in service.log()

        for file in ("filler", "more"):
            (small_folder / file).unlink()
        for _ in range(2):
            _replace_worker(service)
        wait_until(lambda: service.metric("metrics_files_out_of_space") == 0, "recovery", service)
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)
        before = service.metric("predictions_scores_count")
        assert service.predict(ROW).status_code == 200
        assert service.metric("predictions_scores_count") == before + 1
        assert before >= counted
        assert service.stop() == 0


def _fill(file: Path) -> None:
    """Fill the file system of a file."""
    block = bytes(1 << 12)
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(block)
        except OSError:
            return


def _replace_worker(service: RunningService) -> None:
    """Kill the oldest worker, and wait until its successor answers."""
    before = service.workers()
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(set(service.workers()) - set(before)) == 1, "a successor", service)
