"""A label that is earlier than its record is pending; if the record never appears, the label is unknown."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, update

from app.db.tables import PENDING_LABELS, WRITERS
from app.errors import RecordsBusy
from app.records.feedback import TAKEN, UNKNOWN, WAITING, Outcome, take_labels, wait_for_records
from app.records.labels import GivenLabel
from tests.records.explained import count_rows
from tests.records.filled_tables import add_writer, make_id, record


@pytest.fixture
def engine(address: str, opened: Callable[[str], Engine]) -> Engine:
    """An empty database."""
    return opened(address)


def _label(request_id: str = "early", row: int = 0, is_inlier: int = -1) -> GivenLabel:
    """Return a label that is given now."""
    return GivenLabel(request_id, row, is_inlier, "desk", "", time.time())


def _look(engine: Engine, *labels: GivenLabel) -> list[Outcome]:
    """Take labels, and poll their outcome once."""
    return wait_for_records(lambda: nullcontext(engine), labels, take_labels(engine, labels), may_wait=False)


def _write_until(engine: Engine, moment: float) -> None:
    """Record how far the recorder has come."""
    with engine.begin() as connection:
        connection.execute(update(WRITERS).values(written_until=moment))


def test_label_is_pending_while_a_recorder_may_still_write_the_record(engine: Engine):
    """It is stored once, however often it is given; a different one for the row is stored after it."""
    add_writer(engine)

    for _ in range(2):
        assert _look(engine, _label(), _label()) == [Outcome(WAITING)] * 2
    assert count_rows(engine, "waiting_labels") == 1
    assert _look(engine, _label(is_inlier=1)) == [Outcome(WAITING)]
    assert count_rows(engine, "waiting_labels") == 2


def test_label_without_a_recorder_is_unknown(engine: Engine):
    """Nothing is left to be written, so no label is pending; those of recorded rows are taken."""
    record(engine, make_id(1))

    assert [outcome.result for outcome in _look(engine, _label(), _label(make_id(1)))] == [UNKNOWN, TAKEN]
    assert count_rows(engine, "waiting_labels") == 0


def test_label_is_pending_while_the_recorder_starts(engine: Engine):
    """If there should be one, rows are pending although it has not reported yet."""
    labels = [_label()]
    feedback = take_labels(engine, labels)

    for result in (WAITING, UNKNOWN):
        looked = wait_for_records(lambda: nullcontext(engine), labels, feedback, may_wait=False, expects_recorder=True)
        assert looked == [Outcome(result)]
        if result == WAITING:
            add_writer(engine, written_until=time.time() + 60)


@pytest.mark.parametrize("gone", [{"stopped_at": 1.0}, {"updated_at": time.time() - 301}])
def test_recorder_that_has_ended_is_ignored(engine: Engine, gone: dict[str, Any]):
    """Whether it stopped or was killed."""
    add_writer(engine, **gone)

    assert _look(engine, _label()) == [Outcome(UNKNOWN)]


def test_every_live_recorder_must_have_come_far_enough(engine: Engine):
    """Any of the replicas may have the record."""
    add_writer(engine, "fast", written_until=time.time() + 60)
    add_writer(engine, "slow")
    assert _look(engine, _label()) == [Outcome(WAITING)]

    _write_until(engine, time.time() + 60)
    assert _look(engine, _label()) == [Outcome(UNKNOWN)]
    assert count_rows(engine, "waiting_labels") == 0


def test_record_that_appears_at_the_last_moment_is_found(engine: Engine):
    """Between the first poll and the certainty that nothing else is written."""
    add_writer(engine)
    labels = [_label()]
    feedback = take_labels(engine, labels)
    record(engine, make_id(1), request_id="early")
    _write_until(engine, time.time() + 60)

    [outcome] = wait_for_records(lambda: nullcontext(engine), labels, feedback, may_wait=False)

    assert (outcome.result, outcome.found.key) == (TAKEN, (make_id(1), 0))
    assert (count_rows(engine, "labels"), count_rows(engine, "waiting_labels")) == (1, 0)


def test_record_that_has_appeared_is_found_before_the_recorder_reconciles(engine: Engine):
    """Although other records may still be missing; their labels stay pending."""
    add_writer(engine)
    labels = [_label(), _label("later")]
    feedback = take_labels(engine, labels)
    record(engine, make_id(1), request_id="early")

    outcomes = wait_for_records(lambda: nullcontext(engine), labels, feedback, may_wait=False)

    assert [outcome.result for outcome in outcomes] == [TAKEN, WAITING]
    assert (count_rows(engine, "labels"), count_rows(engine, "waiting_labels")) == (1, 1)


def test_label_that_the_recorder_has_reconciled_is_taken(engine: Engine):
    """Without the predicted label: the recorder has counted it."""
    add_writer(engine)
    labels = [_label()]
    feedback = take_labels(engine, labels)
    with engine.begin() as connection:
        connection.execute(delete(PENDING_LABELS))

    assert wait_for_records(lambda: nullcontext(engine), labels, feedback, may_wait=False) == [Outcome(TAKEN)]


@pytest.mark.parametrize("written_until", [0.0, float("inf")], ids=["nothing written", "all written"])
def test_number_of_a_reconciled_label_may_be_reused(engine: Engine, written_until: float):
    """SQLite reuses numbers: the other label stays pending, and is neither reported nor dropped."""
    add_writer(engine, written_until=written_until)
    labels = [_label()]
    feedback = take_labels(engine, labels)
    with engine.begin() as connection:
        connection.execute(delete(PENDING_LABELS))
        number = feedback.waiting[0]
        others = {
            "id": number,
            "request_id": "other",
            "row": 0,
            "is_inlier": 1,
            "source": "",
            "note": "",
            "given_at": 0.0,
        }
        connection.execute(insert(PENDING_LABELS), [others])

    assert wait_for_records(lambda: nullcontext(engine), labels, feedback, may_wait=False) == [Outcome(TAKEN)]
    assert count_rows(engine, "waiting_labels") == 1


def test_waiting_polls_repeatedly(engine: Engine):
    """Until the recorder has come far enough."""
    add_writer(engine)
    labels, looks = [_label()], []

    @contextmanager
    def use():
        looks.append(1)
        if len(looks) == 3:
            _write_until(engine, time.time() + 60)
        yield engine

    assert wait_for_records(use, labels, take_labels(engine, labels), may_wait=True) == [Outcome(UNKNOWN)]
    assert len(looks) == 3


def test_stored_label_stays_stored_when_the_database_fails(engine: Engine):
    """The caller is told that it is pending, which is true."""
    add_writer(engine)
    labels = [_label()]

    def use():
        raise RecordsBusy("away")

    assert wait_for_records(use, labels, take_labels(engine, labels), may_wait=True) == [Outcome(WAITING)]
