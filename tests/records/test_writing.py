"""A batch is written whole or not at all, the same in both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from app.db.bulk_insert import PIECE_ROWS, Throttle
from app.db.errors import is_fault_of_rows
from app.db.tables import AUDITS, HOURLY_COUNTS, MINUTE_COUNTS, PREDICTIONS, WRITERS
from app.records.writing import RecordBatch, record_end, record_progress

# Every bit of a number and of a byte is to come back, and whatever a text may hold.
PREDICTION = {
    "record_id": "01" * 16,
    "row": 3,
    "request_id": 'a "b" \\ é 語 %s :x',
    "answered_at": 1763732622.1234567,
    "model_version": "v1",
    "segment": "it's",
    "features": bytes(range(256)),
    "score": -0.1 - 2**-50,
    "is_inlier": -1,
    "confidence": 1 / 3,
    "recorded_share": 0.1,
    "explanation": '{"reasons": ["sd = 39.2 is high"]}',
    "unfamiliar": '{"sd": "above training range"}',
}
AUDIT = {"record_id": "01" * 16, "row": 3, "probability": 0.001, "position": 0.7, "handed_at": None}
AUDIT |= {"is_inlier": 1, "checked_at": None}


@pytest.fixture
def engine(address: str, opened: Callable[[str], Engine]) -> Engine:
    """An empty database."""
    return opened(address)


def _write(engine: Engine, batch: RecordBatch) -> None:
    with engine.begin() as connection:
        batch.insert(connection, Throttle(lambda: 0))


def test_what_is_written_is_read(engine: Engine):
    """To the last bit; without an id, features or a time where there is none."""
    bare = (
        PREDICTION | dict.fromkeys(("request_id", "features", "explanation", "unfamiliar", "confidence")) | {"row": 4}
    )
    _write(engine, RecordBatch([PREDICTION, bare], [AUDIT]))

    with engine.connect() as connection:
        rows = connection.execute(select(PREDICTIONS).order_by(PREDICTIONS.c.row)).mappings().all()
        assert [dict(row) for row in rows] == [PREDICTION, bare]
        assert dict(connection.execute(select(AUDITS)).mappings().one()) == AUDIT


def test_counts_add_up(engine: Engine):
    """Over batches, by hour, version and segment, and by minute."""
    first, second = RecordBatch(), RecordBatch()
    first.count(3661.5, "v1", "de", 10, 1)
    first.count(3600, "v1", "de", 5, 0)
    first.count(3600, "v1", "", 7, 7)
    second.count(3600, "v1", "de", 1, 1)
    assert (first.n_rows, second.n_rows) == (22, 1)
    for batch in (first, second):
        _write(engine, batch)

    with engine.connect() as connection:
        counted = connection.execute(select(HOURLY_COUNTS).order_by(HOURLY_COUNTS.c.segment)).all()
        minutes = connection.execute(select(MINUTE_COUNTS).order_by(MINUTE_COUNTS.c.minute)).all()
    assert [tuple(row) for row in counted] == [(3600, "v1", "", 7, 7), (3600, "v1", "de", 16, 2)]
    assert [tuple(row) for row in minutes] == [(3600, 13, 8), (3660, 10, 1)]


@pytest.mark.parametrize("spoilt", [{"row": 3}, {"row": 5, "score": None}])
def test_rows_that_cannot_be_stored_leave_nothing_behind(engine: Engine, spoilt: dict[str, object]):
    """Neither a row nor a count; the error is classified as theirs."""
    batch = RecordBatch([PREDICTION, PREDICTION | spoilt])
    batch.count(3600, "v1", "", 2, 0)
    with pytest.raises(DBAPIError) as refused:
        _write(engine, batch)

    assert is_fault_of_rows(refused.value)
    with engine.connect() as connection:
        for table in (PREDICTIONS, HOURLY_COUNTS):
            assert connection.execute(select(table)).all() == []


def test_pauses_while_a_batch_is_inserted(engine: Engine, monkeypatch):
    """SQLite works in this process, whose core requests may need; PostgreSQL has its own and gets all rows at once."""
    pauses: list[float] = []
    monkeypatch.setattr("app.db.bulk_insert.time.sleep", pauses.append)

    _write(engine, RecordBatch([PREDICTION | {"row": row} for row in range(5 * PIECE_ROWS)], []))

    assert len(pauses) == (5 if engine.dialect.name == "sqlite" else 0)


def test_recorders_that_ended_long_ago_are_forgotten(engine: Engine):
    """When a new one starts, so that the table does not grow with every replica that ever ran."""
    now, day = 1_763_732_622.0, 86_400
    with engine.begin() as connection:
        record_progress(connection, "of last week", 1.0, now - 7 * day)
        record_progress(connection, "of yesterday", 2.0, now - day - 1)
        record_end(connection, "of yesterday", now - day + 1)
        record_progress(connection, "new", 3.0, now)

    with engine.connect() as connection:
        assert set(connection.scalars(select(WRITERS.c.replica))) == {"of yesterday", "new"}
