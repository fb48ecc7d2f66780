"""Recorded rows are read as they were answered, from either database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, event, insert, text

from app.db.engine import upgrade_database
from app.db.ids import first_id_at
from app.db.tables import AUDITS, LABELS, MODEL_VERSIONS, PREDICTIONS
from app.errors import RecordsUnavailable
from app.records import reading as recorded_rows
from app.records.reading import Period, RecordReader

NAMES = ("mean", "sd")

ALL_TIME = Period(0, 2_000_000_000)

VERSIONS = frozenset({"v1"})


def prediction(second: int, row: int = 0, **changes) -> dict[str, Any]:
    """Return a row that was answered at a second."""
    fields = {
        "record_id": first_id_at(second),
        "row": row,
        "answered_at": float(second),
        "model_version": "v1",
        "segment": "",
        "features": np.array([second, row], "<f4").tobytes(),
        "score": -0.5,
        "is_inlier": 1,
        "confidence": 1.0,
        "recorded_share": 1.0,
    }
    return fields | changes


def label(second: int, is_inlier: int, replaced_at: float | None = None) -> dict[str, Any]:
    """Return a label of the first row of an answer."""
    known = {"record_id": first_id_at(second), "row": 0, "is_inlier": is_inlier, "given_at": 0.0}
    return known | {"source": "", "note": "", "replaced_at": replaced_at}


@pytest.fixture
def write(address, opened):
    """Create the tables and write rows; return the address."""

    def put(*tables_and_rows):
        with opened(address).begin() as connection:
            for table, rows in tables_and_rows:
                connection.execute(insert(table), rows)
        return address

    return put


def test_rows_are_read_in_pages_in_the_order_of_time(write, monkeypatch):
    """Each once, even if a page ends within a request; other versions and rows without features are counted."""
    monkeypatch.setattr(recorded_rows, "PAGE_ROWS", 3)
    rows = [prediction(second, row) for second in (5, 3, 9, 7) for row in range(4)]
    strangers = [prediction(4, model_version="v2"), prediction(6, features=None)]
    address = write((PREDICTIONS, rows + strangers))

    with RecordReader(address) as reader:
        pages = list(reader.read_rows(ALL_TIME, VERSIONS, 2))

    features = np.concatenate([page.rows.features for page in pages])
    assert features.tolist() == [[second, row] for second in (3, 5, 7, 9) for row in range(4)]
    assert max(len(page.rows) for page in pages) == 3
    assert [sum(page.n_other_features for page in pages), sum(page.n_without_features for page in pages)] == [1, 1]


def test_period_excludes_earlier_and_later_rows(write):
    """Its end is exclusive."""
    address = write((PREDICTIONS, [prediction(second) for second in (1, 2, 3, 4)]))

    with RecordReader(address) as reader:
        pages = list(reader.read_rows(Period(2, 4), VERSIONS, 2))

    assert [page.rows.answered_at.tolist() for page in pages] == [[2, 3]]


def test_answer_is_read(write):
    """The predicted label, the inclusion probability and the ids."""
    address = write((PREDICTIONS, [prediction(1, 7, is_inlier=-1), prediction(2, recorded_share=0.25)]))

    with RecordReader(address) as reader:
        [page] = reader.read_rows(ALL_TIME, VERSIONS, 2)

    assert (page.rows.record_ids, page.rows.rows) == ([first_id_at(1), first_id_at(2)], [7, 0])
    assert page.rows.is_outlier.tolist() == [True, False]
    assert page.rows.recorded_shares.tolist() == [1, 0.25]


def test_current_label_is_read(write):
    """Earlier ones are history; a row that the audit queue has not handed out is no audit."""
    audits = [
        {"record_id": first_id_at(2), "row": 0, "probability": 0.5, "position": 0.1, "handed_at": 9.0},
        {"record_id": first_id_at(3), "row": 0, "probability": 0.5, "position": 0.2, "handed_at": None},
    ]
    labels = [label(1, 1, replaced_at=5.0), label(1, -1), label(2, 1), label(3, 1), label(8, -1)]
    strangers = [prediction(8, model_version="v2")]
    address = write(
        (PREDICTIONS, [prediction(second) for second in range(1, 5)] + strangers), (LABELS, labels), (AUDITS, audits)
    )

    with RecordReader(address) as reader:
        labelled = reader.read_labelled(ALL_TIME, VERSIONS, 2)

    assert labelled.rows.record_ids == [first_id_at(second) for second in (1, 2, 3)]
    assert labelled.is_known_outlier.tolist() == [True, False, False]
    np.testing.assert_equal(labelled.audit_probabilities, [np.nan, 0.5, np.nan])


def test_versions_with_equal_features_are_found(write):
    """In the same order, whatever the versions are called."""
    names = {"v1": NAMES, "v2": ("sd", "mean"), "v3": NAMES, "v4": ("mean",)}
    rows = [
        {"version": version, "name": "credits", "feature_names": json.dumps(names[version]), "first_seen_at": 0.0}
        for version in names
    ]
    address = write((MODEL_VERSIONS, rows))

    with RecordReader(address) as reader:
        assert reader.find_versions(NAMES) == {"v1", "v3"}


def test_empty_database_has_no_rows(write):
    """Neither recorded nor labelled ones."""
    with RecordReader(write()) as reader:
        [page] = reader.read_rows(ALL_TIME, VERSIONS, 2)
        assert len(page.rows) == len(reader.read_labelled(ALL_TIME, VERSIONS, 2)) == 0


def test_damaged_features_are_refused(write):
    """Instead of being shifted into other rows."""
    address = write((PREDICTIONS, [prediction(1), prediction(2, features=b"1234")]))

    with RecordReader(address) as reader, pytest.raises(RecordsUnavailable, match="do not hold the 2 features"):
        list(reader.read_rows(ALL_TIME, VERSIONS, 2))


def test_error_of_the_database_is_explained(write, opened):
    """A table that was renamed stands for all errors."""
    address = write()
    refused = pytest.raises(RecordsUnavailable, match="cannot be used")
    with RecordReader(address) as reader, _renamed(opened(address), "predictions"), refused:
        list(reader.read_rows(ALL_TIME, VERSIONS, 2))


@contextmanager
def _renamed(engine: Engine, table: str) -> Iterator[None]:
    """Rename a table for a while; later tests need it."""
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO elsewhere"))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE elsewhere RENAME TO {table}"))


def test_page_is_one_range_of_the_primary_key(sqlite, opened):
    """SQLite searches for the start of a page instead of reading everything before it."""
    upgrade_database(sqlite)
    asked: list[tuple[str, Any]] = []
    with RecordReader(sqlite) as reader:
        event.listen(reader._engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
        list(reader.read_rows(ALL_TIME, VERSIONS, 2))
    [(statement, values)] = asked

    with opened(sqlite).connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()

    assert [row.detail for row in plan] == [
        "SEARCH predictions USING PRIMARY KEY ((record_id,row)>(?,?) AND record_id<?)"
    ]
