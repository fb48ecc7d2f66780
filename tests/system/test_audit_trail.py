"""Events of models and records reach the audit trail and /metrics of a running service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.system.running_service import REPOSITORY, start_service, wait_until

pytestmark = pytest.mark.system

KINDS = ("promotion", "rollback", "threshold", "refused bundle", "purge", "forget")


def run(program: str, *arguments: str, **environment: str) -> str:
    """Run a module of this repository and return its output."""
    command = [sys.executable, "-m", program, *arguments]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=dict(os.environ) | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def move_by_hand(models: Path, version: str) -> None:
    """Make another link, as `ln -s` does."""
    (models / "by-hand").symlink_to(version)
    (models / "by-hand").replace(models / "current")


def test_every_kind_of_event_is_written_and_counted(tmp_path: Path, credits_models: Path):
    """Of models, records and requests, and of each of many moves of the link."""
    models, started_at = tmp_path / "models", time.time()
    shutil.copytree(credits_models, models, symlinks=True)
    first = (models / "current").readlink().name
    shutil.copytree(models / first, models / "20260101T000000Z-aaaaaaaa")
    shutil.copytree(models / first, models / "broken")
    (models / "broken" / "forest.npz").write_bytes(b"changed")
    database = f"sqlite:///{tmp_path}/records/records.db"

    with start_service(tmp_path, models) as service:

        def number(kind: str) -> float:
            return service.metric("records_events_total", event=kind)

        wait_until(lambda: "records_events_total" in service.get("/metrics").text, "the recorder", service)
        wait_until(
            lambda: service.metric("records_event_timestamp_seconds", event="promotion") > 0, "the audit trail", service
        )
        assert [number(kind) for kind in KINDS[1:]] == [0] * 5
        answer = service.predict([0.56, 0.23])
        moves = ["20260101T000000Z-aaaaaaaa", first, "broken"] * 3 + ["20260101T000000Z-aaaaaaaa", first]
        for version in moves:  # faster than the recorder asks who moved the link
            move_by_hand(models, version)
            time.sleep(0.2)
        run("training", "promote", "20260101T000000Z-aaaaaaaa", "--models", str(models))
        run("training", "rollback", "--models", str(models))
        wait_until(lambda: number("rollback") == 1, "the rollback", service)
        run("training", "threshold", "--score", "-0.7", "--models", str(models))
        wait_until(lambda: number("threshold") == 1, "the moved threshold", service)
        counted = number("refused bundle")
        move_by_hand(models, "broken")
        wait_until(lambda: number("refused bundle") > counted, "the refused bundle", service)

        def is_recorded():
            return re.search(r"^rows +1$", run("app.records", "status", DATABASE_URL=database), re.MULTILINE)

        wait_until(is_recorded, "the answer to be recorded", service)
        run("app.records", "purge", "--before", "2026-01-01", "--yes", DATABASE_URL=database)
        run("app.records", "forget", answer.headers["X-Record-ID"], "--yes", DATABASE_URL=database)
        wait_until(lambda: number("purge") == number("forget") == 1, "the purge and the forgotten request", service)
        for kind in KINDS:
            assert service.metric("records_event_timestamp_seconds", event=kind) > started_at - 1

    run("app.records", "export", "--since", "1h", "--out", str(tmp_path / "out.csv"), DATABASE_URL=database)
    trail = (tmp_path / "out.events.csv").read_text()
    assert [line.split(",")[2] for line in trail.splitlines()[1:]][-len(KINDS) :] == list(KINDS)
    by_hand = [line.split(",") for line in trail.splitlines() if ",unknown," in line][-len(moves) - 1 :]
    assert [(what, after) for _, _, what, _, after, *_ in by_hand] == [
        ("refused bundle" if version == "broken" else "promotion", version) for version in [*moves, "broken"]
    ]
    assert "forest.npz was changed after it was written" in trail
    assert answer.headers["X-Record-ID"] not in trail
