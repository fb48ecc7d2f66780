"""The last label of a row is the current one, earlier ones stay as history, and a repeated one is stored once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, text

from app.db.engine import upgrade_database, write_transaction
from app.db.tables import LABELS
from app.records.alarms import Remark, add_note
from app.records.feedback import TAKEN, UNCHANGED, take_labels, withdraw
from app.records.labels import GivenLabel, store_labels
from app.records.lookup import RecordKey, RowName, find_rows
from tests.records.explained import count_rows, explaining
from tests.records.filled_tables import make_id, record

ID = make_id(1)


@pytest.fixture
def engine(address: str, opened: Callable[[str], Engine]) -> Engine:
    """A database with one recorded request of three rows."""
    engine = opened(address)
    for row in range(3):
        record(engine, ID, row)
    return engine


def given(
    row: int = 0, is_inlier: int = -1, at: float = 10.0, source: str = "desk", note: str = "", by: str | None = None
) -> GivenLabel:
    """Return a label."""
    return GivenLabel(ID, row, is_inlier, source, note, at, by)


def _results(engine: Engine, *labels: GivenLabel) -> list[str]:
    """Take labels, and return the result of each."""
    return [outcome.result for outcome in take_labels(engine, labels).outcomes]


def _kept(engine: Engine) -> list[tuple[Any, ...]]:
    """Read all labels in the order in which they were stored: row, label, given, replaced."""
    label = LABELS.c
    asked = select(label.row, label.is_inlier, label.given_at, label.replaced_at).order_by(label.id)
    with engine.connect() as connection:
        return [tuple(line) for line in connection.execute(asked)]


def test_label_is_stored(engine: Engine):
    """With its contents and its time."""
    feedback = take_labels(engine, [given(2, source="fraud-desk", note="Grüße\nfrom the desk")])

    assert feedback.outcomes[0].result == TAKEN
    assert feedback.outcomes[0].found.is_inlier == 1
    assert feedback.waiting == {}
    with engine.connect() as connection:
        line = connection.execute(select(LABELS)).mappings().one()
    assert line["record_id"] == ID
    assert (line["row"], line["is_inlier"], line["source"]) == (2, -1, "fraud-desk")
    assert (line["note"], line["given_at"], line["replaced_at"]) == ("Grüße\nfrom the desk", 10.0, None)


def test_repeated_label_is_stored_once(engine: Engine):
    """Whether it comes later or in the same list."""
    assert _results(engine, given(at=1), given(at=1)) == [TAKEN, UNCHANGED]
    assert _results(engine, given(at=2)) == [UNCHANGED]
    assert _kept(engine) == [(0, -1, 1.0, None)]


@pytest.mark.parametrize("bare", [{"source": ""}, {"note": ""}, {"source": "", "note": ""}])
def test_repetition_without_source_or_note_erases_neither(engine: Engine, bare: dict[str, Any]):
    """It adds nothing; the opposite label does, from anybody."""
    assert _results(engine, given(at=1, note="called"), given(at=2, **{"note": "called"} | bare)) == [TAKEN, UNCHANGED]
    assert _results(engine, given(at=3, **{"note": "called"} | bare)) == [UNCHANGED]
    assert _kept(engine) == [(0, -1, 1.0, None)]

    assert _results(engine, given(at=4, is_inlier=1, source="")) == [TAKEN]
    assert _kept(engine) == [(0, -1, 1.0, 4.0), (0, 1, 4.0, None)]


@pytest.mark.parametrize("change", [{"is_inlier": 1}, {"source": "others"}, {"note": "I saw it"}])
def test_changed_label_replaces_the_old_one_which_stays_as_history(engine: Engine, change: dict[str, Any]):
    """Even if only its source or note is new: no information is lost."""
    assert _results(engine, given(at=1)) == [TAKEN]
    assert _results(engine, given(at=2, **change)) == [TAKEN]
    assert _results(engine, given(at=3, note="so it is")) == [TAKEN]

    assert [(given_at, replaced_at) for _, _, given_at, replaced_at in _kept(engine)] == [(1, 2), (2, 3), (3, None)]


def test_list_is_processed_in_order(engine: Engine):
    """Its last label of a row is current; the others are history."""
    assert _results(engine, given(1), given(0), given(1, is_inlier=1), given(2)) == [TAKEN] * 4

    assert sorted(_kept(engine), key=str) == [(0, -1, 10, None), (1, -1, 10, 10), (1, 1, 10, None), (2, -1, 10, None)]


def test_pending_label_does_not_replace_a_newer_one(engine: Engine):
    """It was given before, so it is history."""
    assert _results(engine, given(at=5)) == [TAKEN]
    with write_transaction(engine) as connection:
        found = find_rows(connection, [RowName(ID, 0)])[RowName(ID, 0)]
        assert store_labels(connection, [(found, given(is_inlier=1, at=3))]) == [True]

    assert _kept(engine) == [(0, -1, 5, None), (0, 1, 3, 5)]


def test_labels_of_a_request_are_all_stored_or_none(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    """A failure leaves nothing behind."""
    monkeypatch.setattr("app.records.feedback.add_pending", lambda *asked: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        take_labels(engine, [given(), GivenLabel("unknown", 0, 1, "", "", 10.0)])
    assert _kept(engine) == []


@pytest.mark.parametrize("labels", [(-1, -1), (-1, 1)])
def test_two_at_once_leave_one_current_label(engine: Engine, labels: tuple[int, int]):
    """Equal labels are stored once; of two different ones, the other is history."""
    start, results = threading.Barrier(2), []

    def give(is_inlier: int) -> None:
        lists = [
            [given(row, is_inlier, at=10.0 + n) for row in order] for n, order in enumerate([[0, 1, 2], [2, 1, 0]])
        ]
        start.wait(10)
        for labels_of_one in lists:
            results.extend(_results(engine, *labels_of_one))

    threads = [threading.Thread(target=give, args=(is_inlier,)) for is_inlier in labels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 12
    counting = [line for line in _kept(engine) if line[3] is None]
    assert sorted(line[0] for line in counting) == [0, 1, 2]
    assert results.count(TAKEN) == len(_kept(engine))
    if labels == (-1, -1):
        assert len(_kept(engine)) == 3


def test_a_thousand_labels_are_stored_at_once(engine: Engine):
    """The maximum of one request."""
    for row in range(3, 30):
        record(engine, ID, row)
    results = _results(engine, *(given(row % 30, is_inlier=1 - 2 * (row // 30 % 2)) for row in range(1000)))

    assert results.count(TAKEN) == 1000
    assert count_rows(engine, "labels WHERE replaced_at IS NULL") == 30


def test_labels_are_found_by_searches_of_an_index(engine: Engine):
    """However many there are."""
    take_labels(engine, [given(row) for row in range(3)])
    with explaining(engine) as steps:
        take_labels(engine, [given(0, is_inlier=1), GivenLabel("unknown", 0, 1, "", "", 10.0)])

    assert steps
    assert [step for step in steps if "SCAN" in step and "wanted" not in step and "CONSTANT" not in step] == []
    assert [step for step in steps if "Seq Scan on" in step] == []


def test_concurrent_first_labels_of_a_row_are_retried(postgresql: str, opened: Callable[[str], Engine]):
    """PostgreSQL lets both start; the later one fails at its end, and is retried."""
    upgrade_database(postgresql)
    engine, results = opened(postgresql), []
    record(engine, ID)
    with engine.connect() as faster:
        line = {"record_id": ID, "row": 0, "is_inlier": -1, "source": "desk", "note": "", "given_at": 1.0}
        faster.execute(insert(LABELS), [line])
        thread = threading.Thread(target=lambda: results.extend(_results(engine, given())))
        thread.start()
        waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not faster.execute(waits).scalar():
            time.sleep(0.01)
        faster.commit()
        thread.join()

    assert results == [UNCHANGED]
    assert len(_kept(engine)) == 1


def test_withdrawn_labels_leave_nothing_behind(engine: Engine):
    """Neither a label nor history, and what somebody else said before counts again."""
    ada = (given(0, at=1, by="ada"), given(0, 1, at=2, by="ada"), given(1, at=3, by="ada"))
    bob = (given(1, 1, at=4, by="bob"), given(2, at=5, by="bob"))
    for label in (*ada, *bob, replace(ada[0], request_id="later")):
        take_labels(engine, [label])
    rows = [RowName(ID, 0), RowName(ID, 1), RowName(ID, 2), RowName("later", 0), RowName("never", 0)]

    assert withdraw(engine, rows, None, 7.0) == [False] * 5
    assert withdraw(engine, rows, "bob", 7.0) == [False, True, True, False, False]
    assert _kept(engine) == [(0, -1, 1.0, 2.0), (0, 1, 2.0, None), (1, -1, 3.0, None)]
    assert withdraw(engine, rows, "ada", 7.0) == [True, True, False, True, False]
    assert _kept(engine) == []
    assert withdraw(engine, rows, "ada", 7.0) == [False] * 5
    # As if nothing had been said before.
    assert _results(engine, given(0)) == [TAKEN]


def test_withdrawn_notes_are_gone(engine: Engine):
    """Somebody who was unsure is no more."""
    with write_transaction(engine) as connection:
        add_note(connection, RecordKey(ID, 0), Remark(0, True, "", 1.0, "ada"))

    assert withdraw(engine, [RowName(ID, 0)], "ada", 2.0) == [True]
    assert withdraw(engine, [RowName(ID, 0)], "ada", 2.0) == [False]
