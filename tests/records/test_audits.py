"""Rows are handed out in random order, each to one caller within an hour."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, delete, select

from app.db.tables import AUDITS, PREDICTIONS
from app.records.audits import hand_out
from app.records.feedback import take_labels
from app.records.labels import GivenLabel
from app.records.lookup import RecordKey
from tests.records.filled_tables import draw, make_id, name_features, record

HOUR = 3600.0


@pytest.fixture
def engine(address: str, opened: Callable[[str], Engine]) -> Engine:
    """A database with five drawn rows, whose positions are not in the order of time, and a row that was not drawn."""
    engine = opened(address)
    for number, position in enumerate((0.5, 0.1, 0.9, 0.3, 0.7)):
        draw(engine, make_id(number), position)
    record(engine, make_id(9))
    return engine


def _hand_out(engine: Engine, most: int, now: float) -> list[int]:
    """Hand out rows, and return the numbers of their ids."""
    numbers = {make_id(number): number for number in range(10)}
    return [numbers[row.key.record_id] for row in hand_out(engine, most, now)]


def _label(engine: Engine, number: int) -> None:
    """Label a row."""
    take_labels(engine, [GivenLabel(make_id(number), 0, 1, "", "", 1.0)])


def _handed_out(engine: Engine) -> dict[str, float | None]:
    """Read when each row was handed out."""
    with engine.connect() as connection:
        return dict(list(connection.execute(select(AUDITS.c.record_id, AUDITS.c.handed_at))))


def test_rows_come_in_their_random_order(engine: Engine):
    """Each once, until all were handed out."""
    assert _hand_out(engine, 2, 0.0) == [1, 3]
    assert _hand_out(engine, 2, 1.0) == [0, 4]
    assert _hand_out(engine, 2, 2.0) == [2]
    assert _hand_out(engine, 2, 3.0) == []


def test_row_without_a_label_comes_again_after_an_hour(engine: Engine):
    """After those that were never handed out, the longest first; a labelled one does not."""
    assert _hand_out(engine, 2, 0.0) == [1, 3]
    assert _hand_out(engine, 1, 10.0) == [0]
    _label(engine, 3)
    assert _hand_out(engine, 100, HOUR + 1) == [4, 2, 1]
    assert _hand_out(engine, 100, HOUR + 11) == [0]
    assert _hand_out(engine, 100, 2 * HOUR + 1) == []
    assert sorted(_hand_out(engine, 100, 2 * HOUR + 2)) == [1, 2, 4]


def test_labelled_row_is_skipped_and_counts_as_handed_out(engine: Engine):
    """Only those before the next row that is still to come: other labels were somebody's own choice."""
    for number in (1, 0, 2):
        _label(engine, number)

    assert _hand_out(engine, 1, 7.0) == [3]
    assert _handed_out(engine) == {
        make_id(1): 7.0,
        make_id(3): 7.0,
        make_id(0): 7.0,
        make_id(4): None,
        make_id(2): None,
    }
    assert _hand_out(engine, 5, 8.0) == [4]
    assert _handed_out(engine)[make_id(2)] == 8.0


def test_row_has_nothing_of_the_model_s_answer(engine: Engine):
    """But its features by name, its segment and its time."""
    name_features(engine)
    row = hand_out(engine, 1, 0.0)[0]

    assert row.features == {"mean": 0.56, "sd": 0.23}
    assert (row.key.row, row.answered_at, row.segment) == (0, 1_000_000.0, "")
    assert vars(row).keys() == {"key", "answered_at", "model_version", "segment", "features"}


def test_row_without_a_record_is_not_handed_out(engine: Engine):
    """There is nothing to label."""
    with engine.begin() as connection:
        connection.execute(delete(PREDICTIONS).where(PREDICTIONS.c.record_id == make_id(1)))

    assert _hand_out(engine, 2, 0.0) == [3, 0]


def test_concurrent_callers_never_get_the_same_row(engine: Engine):
    """Together they get all rows."""
    for number in range(100, 160):
        draw(engine, make_id(number), number / 1000)
    start = threading.Barrier(4)
    taken: list[RecordKey] = []

    def take() -> None:
        start.wait(10)
        for _ in range(4):
            taken.extend(row.key for row in hand_out(engine, 5, 100.0))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == len(set(taken)) == 65
