"""A pending label is stored as soon as its record is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from app.db.engine import write_transaction
from app.db.tables import LABELS, PREDICTIONS
from app.records.labels import GivenLabel
from app.records.pending_labels import ReconciledLabel, add_pending, count_pending_labels, reconcile_labels
from tests.records.made_records import make_prediction

FIRST, SECOND = "0" * 31 + "1", "0" * 31 + "2"
NOW = 2000.0


@pytest.fixture
def engine(address: str, opened: Callable[[str], Engine]) -> Engine:
    """An empty database."""
    return opened(address)


def _wait(engine: Engine, *labels: GivenLabel) -> None:
    with write_transaction(engine) as connection:
        add_pending(connection, labels)


def _record(engine: Engine, *predictions: dict[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(insert(PREDICTIONS), list(predictions))


def _settle(engine: Engine, now: float = NOW) -> tuple[list[ReconciledLabel], int]:
    with write_transaction(engine) as connection:
        return reconcile_labels(connection, now)


def _labels(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        columns = (LABELS.c.record_id, LABELS.c.row, LABELS.c.is_inlier, LABELS.c.replaced_at)
        return [tuple(row) for row in connection.execute(select(*columns).order_by(LABELS.c.id))]


def test_label_is_pending_until_its_row_is_recorded(engine: Engine):
    """By record id, or by request id, of which the first record counts; another row of the request does not help."""
    _wait(
        engine,
        GivenLabel(FIRST, 0, -1, "desk", "", 1001.5),
        GivenLabel("mine", 1, 1, "desk", "", 1002.0),
        GivenLabel("mine", 7, 1, "desk", "", 1002.0),
    )
    assert _settle(engine) == ([], 0)
    _record(
        engine,
        make_prediction(FIRST),
        make_prediction(FIRST, 1, request_id="mine", is_inlier=-1),
        make_prediction(SECOND, 1, request_id="mine"),
    )

    settled, _ = _settle(engine)
    assert sorted(settled, key=lambda label: label.age_seconds) == [
        ReconciledLabel(1, -1, 1.5),
        ReconciledLabel(-1, 1, 2.0),
    ]
    assert sorted(_labels(engine)) == [(FIRST, 0, -1, None), (FIRST, 1, 1, None)]
    with engine.connect() as connection:
        assert count_pending_labels(connection) == 1


def test_last_label_counts(engine: Engine):
    """Of several pending ones; the one before it is history."""
    for at, given in enumerate((-1, 1)):
        _wait(engine, GivenLabel(FIRST, 0, given, "", "", 1001.0 + at))
    _record(engine, make_prediction(FIRST))

    settled, _ = _settle(engine)
    assert [label.label for label in settled] == [-1, 1]
    assert sorted(_labels(engine), key=str) == [(FIRST, 0, -1, 1002.0), (FIRST, 0, 1, None)]


def test_label_that_is_pending_for_an_hour_is_dropped(engine: Engine):
    """Its record will not appear any more."""
    _wait(engine, GivenLabel("never", 0, -1, "", "", NOW - 3601), GivenLabel("late", 0, -1, "", "", NOW - 3599))

    assert _settle(engine) == ([], 1)
    assert _settle(engine) == ([], 0)


def test_label_that_returns_to_an_earlier_value_counts(engine: Engine):
    """Outlier, inlier and outlier again while the record is missing mean outlier; each is stored once."""
    said = [GivenLabel(FIRST, 0, label, "desk", "", 1001.0 + n) for n, label in enumerate((-1, 1, 1, -1))]
    for label in said[:2]:
        _wait(engine, label)
    _wait(engine, *said[2:])
    _record(engine, make_prediction(FIRST))

    _settle(engine)

    assert [label for _, _, label, _ in _labels(engine)] == [-1, 1, -1]
    assert [label for _, _, label, replaced in _labels(engine) if replaced is None] == [-1]


def test_repetition_without_source_erases_none_while_pending(engine: Engine):
    """It is stored as a pending label, and adds nothing once the record is there."""
    said, repeated = GivenLabel(FIRST, 0, -1, "desk", "called", 1001.0), GivenLabel(FIRST, 0, -1, "", "", 1002.0)
    _wait(engine, said)
    _wait(engine, repeated)
    _record(engine, make_prediction(FIRST))

    settled, _ = _settle(engine)

    assert len(settled) == 1
    assert len(_labels(engine)) == 1
