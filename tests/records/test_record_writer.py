"""Every row that is published is recorded, or counted as dropped."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, func, select

from app.db.engine import upgrade_database
from app.db.ids import make_record_id
from app.db.tables import AUDITS, HOURLY_COUNTS, MODEL_VERSIONS, PREDICTIONS, WRITERS
from app.model.bundle import read_bundle
from app.recorder.protocol import PublishedRows
from app.records.feedback import take_labels, wait_for_records
from app.records.labels import GivenLabel
from tests.recorder.made_rows import make_scored
from tests.records.running_writer import (
    WAIT_SECONDS,
    Read,
    Start,
    count_lines,
    file_of,
    wait_until,
)


def test_every_row_is_recorded_as_it_was_answered(address: str, start_writer: Start, read: Read):
    """Row by row, with its features, under the id of its answer and that of its caller."""
    recorder = start_writer(address)
    scored = make_scored(700, n_features=3)
    published = PublishedRows(7200.5, "caller's", "v1", 0, scored, "ab" * 16, "de")
    recorder.writer.take(published)
    recorder.take(1, 2)
    wait_until(lambda: recorder.recorded == 702)

    own_id, callers_id = PREDICTIONS.c.request_id.is_(None), PREDICTIONS.c.request_id == "caller's"
    rows = read(address, select(PREDICTIONS).where(callers_id).order_by(PREDICTIONS.c.row))
    assert [row["row"] for row in rows] == list(range(700))
    assert {(row["record_id"], row["answered_at"], row["model_version"], row["segment"]) for row in rows} == {
        ("ab" * 16, 7200.5, "v1", "de")
    }
    features = np.frombuffer(b"".join(row["features"] for row in rows), "<f4").reshape(700, 3)
    np.testing.assert_array_equal(features, scored.rows)
    for column, field in (("score", "scores"), ("is_inlier", "labels"), ("confidence", "confidences")):
        assert [row[column] for row in rows] == getattr(scored, field).tolist()
    assert len(read(address, select(PREDICTIONS).where(own_id))) == 2
    n_outliers = int((scored.labels == -1).sum())
    counted = read(address, select(HOURLY_COUNTS).where(HOURLY_COUNTS.c.segment == "de"))
    assert [tuple(row.values()) for row in counted] == [(7200, "v1", "de", 700, n_outliers)]
    assert recorder.metric("records_kept_rows_total") == 702
    assert recorder.is_up()


def test_share_is_recorded_and_all_are_counted(sqlite: str, start_writer: Start, read: Read):
    """All outliers, each in the queue of alarms, without features if these are not recorded; drawn inliers, too."""
    settings = {"RECORD_PREDICTIONS": "0.1", "AUDIT_SHARE": "0.05", "RECORD_FEATURES": "false"}
    recorder = start_writer(sqlite, **settings)
    recorder.take(10, 1000)
    wait_until(lambda: recorder.recorded == 10_000)

    [counted] = read(sqlite, select(func.sum(HOURLY_COUNTS.c.n_rows), func.sum(HOURLY_COUNTS.c.n_outliers)))
    n_rows, n_outliers = counted.values()
    rows = read(sqlite, select(PREDICTIONS))
    inliers = {(row["record_id"], row["row"]) for row in rows if row["is_inlier"] == 1}
    drawn = read(sqlite, select(AUDITS))
    audits, alarms = (
        {(row["record_id"], row["row"]) for row in drawn if row["is_inlier"] == label} for label in (1, -1)
    )
    assert (n_rows, n_outliers) == (10_000, len(rows) - len(inliers))
    assert 300 < len(inliers) < 800
    assert audits < inliers
    assert alarms == {(row["record_id"], row["row"]) for row in rows if row["is_inlier"] == -1}
    assert {(row["is_inlier"], row["probability"]) for row in drawn} == {(1, 0.05), (-1, 1.0)}
    assert {(row["is_inlier"], row["recorded_share"]) for row in rows} == {(1, 0.1), (-1, 1.0)}
    assert {row["features"] for row in rows} == {None}


def test_message_of_an_older_worker_gets_an_id(sqlite: str, start_writer: Start, read: Read):
    """It has none; all rows of the message become one record."""
    recorder = start_writer(sqlite)
    recorder.take(2, 600, record_id="", request_id="theirs")
    wait_until(lambda: recorder.recorded == 1200)

    rows = read(sqlite, select(PREDICTIONS))
    assert len({row["record_id"] for row in rows}) == 2
    assert {row["request_id"] for row in rows} == {"theirs"}


def test_features_of_every_version_are_stored(address: str, credits_models: Path, start_writer: Start, read: Read):
    """Of the model that went live, and of one whose rows arrive earlier; once each."""
    bundle = read_bundle(credits_models / "current")
    early = start_writer(address, MODEL_DIR=str(credits_models))
    early.take(1, version=bundle.version)
    wait_until(lambda: early.recorded == 1)
    names = '["' + '", "'.join(bundle.features.names) + '"]'
    expected = [(bundle.version, bundle.name, names)]
    columns = (MODEL_VERSIONS.c.version, MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.feature_names)
    assert [tuple(row.values()) for row in read(address, select(*columns))] == expected

    early.writer.finish()
    live = start_writer(address, MODEL_DIR="gone")
    live.writer.follow(bundle)
    live.take(1, version="unknown")
    wait_until(lambda: live.recorded == 1)
    assert [tuple(row.values()) for row in read(address, select(*columns))] == expected


def test_end_of_the_service_writes_pending_rows(address: str, start_writer: Start, read: Read):
    """And records that nobody needs to wait for this recorder."""
    recorder = start_writer(address)
    recorder.take(2000)
    recorder.writer.finish()

    assert recorder.recorded == 2000
    assert count_lines(read, address, PREDICTIONS) == 2000
    [progress] = read(address, select(WRITERS))
    assert progress["written_until"] > time.time() - WAIT_SECONDS
    assert progress["stopped_at"] is not None


def test_end_of_the_service_does_not_wait_for_a_database(
    sqlite: str, start_writer: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Lost rows are counted and logged."""
    monkeypatch.setattr("app.recorder.writer._SHUTDOWN_SECONDS", 0.2)
    recorder = start_writer(sqlite)
    wait_until(recorder.is_up)
    with closing(sqlite3.connect(file_of(sqlite), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        recorder.take(700)
        recorder.writer.finish()

        assert recorder.metric("records_given_up_rows_total") == 700
        assert "700 rows dropped, not recorded: the service ended" in caplog.text
        other.execute("ROLLBACK")


def test_early_label_is_told_from_an_unknown_one(
    address: str, start_writer: Start, read: Read, opened: Callable[[str], Engine]
):
    """A label that is given at once is taken; one of an unknown row is soon called unknown."""
    recorder = start_writer(address)
    wait_until(recorder.is_up)
    known = make_record_id()
    recorder.take(1, record_id=known, request_id=known)
    now, engine = time.time(), opened(address)
    labels = [GivenLabel(known, 0, -1, "", "", now), GivenLabel("never", 0, -1, "", "", now)]
    given = take_labels(engine, labels)
    # On a busy machine the recorder may be faster than the label.
    assert given.outcomes[0].result in ("waiting", "taken")
    assert given.outcomes[1].result == "waiting"
    outcomes = wait_for_records(lambda: nullcontext(engine), labels, given, may_wait=True)

    assert [outcome.result for outcome in outcomes] == ["taken", "unknown"]


def test_old_records_are_purged_while_new_ones_come(sqlite: str, start_writer: Start, read: Read, monkeypatch):
    """And the contents of the database are reported."""
    monkeypatch.setattr("app.recorder.store._MAINTENANCE_SECONDS", 0.05)
    upgrade_database(sqlite)
    recorder = start_writer(sqlite, RECORD_RETENTION_DAYS="1")
    recorder.take(1, 1200, record_id="0" * 32, request_id="old")
    recorder.take(30)
    wait_until(lambda: recorder.metric("records_purged_rows_total") == 1200)
    wait_until(lambda: recorder.metric("records_oldest_timestamp_seconds") > time.time() - WAIT_SECONDS)

    assert count_lines(read, sqlite, PREDICTIONS) == 30
    assert recorder.metric("records_database_bytes") > 10_000


def test_rows_that_are_sent_again_are_recorded_once(address: str, start_writer: Start, read: Read):
    """By a recorder that replaces one that was killed after a commit: also those that are not in the sample."""
    scored = make_scored(700, seed=1)
    published = PublishedRows(time.time(), "", "v1", 0, scored, make_record_id(), worker="w" * 16)
    acknowledged: list[tuple[str, int]] = []
    for name in ("one", "two"):
        recorder = start_writer(address, name=name, RECORD_PREDICTIONS="0.5")
        recorder.writer._acknowledge = lambda *done: acknowledged.append(done)
        recorder.writer.take(published)
        if name == "one":
            wait_until(lambda: recorder.recorded == 700)  # noqa: B023
        wait_until(lambda: acknowledged[-1:] == [("w" * 16, 700)])
        acknowledged.clear()
        recorder.writer.finish()

    assert recorder.recorded == 0
    [counted] = read(address, select(func.sum(HOURLY_COUNTS.c.n_rows)))
    assert list(counted.values()) == [700]
