"""Alarms are stored with their explanation, and whoever reads a record sees it."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import numpy as np
from alembic import command
from sqlalchemy import create_engine, text

from app.db.engine import upgrade_database
from app.db.ids import make_record_id
from app.db.migrations.upgrade import configure
from app.db.tables import PREDICTIONS
from app.model.bundle import read_bundle
from app.model.scoring import score_rows
from app.recorder.protocol import PublishedRows
from app.records.export import RecordPages, write_csv
from app.records.recorded_answer import read_answer
from tests.records.running_writer import Start, file_of, wait_until

ROWS = np.array([[-0.158, -0.1067], [0.2, 39.2]], np.float32)


def test_explanation_is_stored_shown_and_exported(address: str, credits_models: Path, start_writer: Start, opened):
    """As ``/prediction`` returns it; an inlier has none."""
    bundle = read_bundle((credits_models / "current").resolve())
    scored = score_rows(bundle, ROWS)
    recorder, record_id, now = start_writer(address), make_record_id(), time.time()
    recorder.writer.follow(bundle)
    recorder.writer.take(PublishedRows(now, record_id, bundle.version, 0, scored, record_id))
    wait_until(lambda: recorder.recorded == 2)
    expected = bundle.explainer.explain([0.2, 39.2], float(scored.scores[1])).as_fields()

    with opened(address).connect() as connection:
        inlier, outlier = read_answer(connection, record_id, 0, 10).rows
    assert (inlier.explanation, outlier.explanation) == (None, expected)

    file = io.StringIO()
    write_csv(RecordPages(opened(address), now - 60, now + 60), file)
    lines = [line["explanation"] for line in csv.DictReader(io.StringIO(file.getvalue()))]
    assert lines[0] == ""
    assert json.loads(lines[1]) == expected
    wait_until(lambda: recorder.metric("alarm_explanations_total", result="explained") == 1)


def test_records_of_the_previous_revision_stay(empty_address: str, opened):
    """They have no explanation."""
    if empty_address.startswith("sqlite"):
        file_of(empty_address).parent.mkdir(parents=True)
    engine = create_engine(empty_address.replace("postgresql:", "postgresql+pg8000:"))
    record_id = make_record_id()
    with engine.begin() as connection:
        command.upgrade(configure(connection=connection), "0003")
        columns = [column.name for column in PREDICTIONS.columns if column.name not in ("explanation", "unfamiliar")]
        values = (f"'{record_id}', 0, NULL, 1.5, 'v1', '', NULL, -0.6, -1, 0.9, 1.0",)
        connection.execute(text(f"INSERT INTO predictions ({', '.join(columns)}) VALUES ({', '.join(values)})"))
    engine.dispose()

    upgrade_database(empty_address)

    with opened(empty_address).connect() as connection:
        [row] = read_answer(connection, record_id, 0, 10).rows
    assert (row.score, row.is_inlier, row.explanation) == (-0.6, -1, None)
