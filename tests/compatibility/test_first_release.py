"""What the first release wrote is read by this one: bundle, records, labels, audit trail and drift state."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.running_service import REPOSITORY, RunningService, start_service, wait_until

pytestmark = pytest.mark.system

WRITTEN = Path(__file__).parent / "first_release"
VERSION = "20261129T085415Z-012936da"

# As first_release/records.sql and first_release/drift-state.json have them.
N_ANSWERS, N_ROWS, ROWS_SEEN_BY_DETECTORS = 31, 230, 109


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything, laid out as the first release did."""
    folder = tmp_path_factory.mktemp("first_release")
    shutil.copytree(WRITTEN / "models", folder / "models")
    (folder / "models" / "current").symlink_to(VERSION)
    (folder / "state").mkdir()
    shutil.copy(WRITTEN / "drift-state.json", folder / "state")
    (folder / "records").mkdir()
    with closing(sqlite3.connect(folder / "records" / "records.db")) as database:
        database.executescript((WRITTEN / "records.sql").read_text())
        database.execute("PRAGMA journal_mode=WAL")
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[RunningService]:
    """A service of this release on those files; it keeps records for ever, as these get older every day."""
    with start_service(folder, folder / "models", RECORD_RETENTION_DAYS="36500") as running:
        wait_until(lambda: running.get("/predictions/old-1").status_code == 200, "the records", running)
        yield running


def _run(folder: Path, *command: str) -> str:
    """Run one of our programs on the copy, and return what it prints."""
    database = f"sqlite:///{folder}/records/records.db"
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=REPOSITORY,
        env={"PATH": "", "LANG": "C.UTF-8", "DATABASE_URL": database, "MODEL_DIR": str(folder / "models")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_bundle_gives_the_recorded_answers(service: RunningService):
    """Rows that the first release answered get the same label, and scores and confidences equal up to last bits."""
    for number in range(1, 31):
        recorded = service.get(f"/predictions/old-{number}").json()
        [row] = recorded["rows"]
        now = service.predict(list(row["features"].values()), score=True, confidence=True)

        assert now.headers["X-Model-Version"] == recorded["model_version"] == VERSION
        answer = now.json()
        assert answer.pop("is_inlier") == row["is_inlier"]
        assert answer == pytest.approx({name: row[name] for name in ("anomaly_score", "confidence")}, rel=1e-12)


def test_labels_are_there(service: RunningService):
    """Both labels are read back, and count for quality."""
    [row] = service.get("/predictions/old-1").json()["rows"]

    assert (row["label"]["is_inlier"], row["label"]["source"], row["label"]["note"]) == (-1, "fraud-desk", "called")
    assert service.get("/predictions/old-2").json()["rows"][0]["label"]["is_inlier"] == 1


def test_label_is_added_to_an_old_record(service: RunningService):
    """A record of the first release takes a label."""
    url = f"{service.address}/feedback"

    answer = service.session.post(url, json={"request_id": "old-batch", "row": 7, "is_inlier": 1}, timeout=30)

    assert (answer.status_code, answer.json()["taken"]) == (202, 1)


def test_drift_detectors_go_on(service: RunningService):
    """The detectors' state is restored: they have seen the rows that the first release saw."""
    wait_until(lambda: service.get("/drift").status_code == 200, "a drift report", service)

    assert service.get("/drift").json()["rows_seen"] >= ROWS_SEEN_BY_DETECTORS


def test_commands_read_the_records(service: RunningService, folder: Path, tmp_path: Path):
    """Operators' commands count and export what the first release recorded."""
    assert "0007" in _run(folder, "app.records", "status")

    _run(folder, "app.records", "export", "--since", "2026-11-29", "--out", str(tmp_path / "records.csv"))

    exported = "".join(file.read_text() for file in tmp_path.rglob("*.csv"))
    assert exported.count("old-batch") == N_ROWS - (N_ANSWERS - 1)
    assert "operator@host" in exported


def test_commands_read_the_models(folder: Path):
    """The model store lists the version, and knows that it is live."""
    listed = _run(folder, "training", "models")

    assert VERSION in listed
    assert "live" in listed
