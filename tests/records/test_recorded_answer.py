"""A recorded answer is read page by page, with its labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import Engine

from app.records.feedback import take_labels
from app.records.labels import GivenLabel
from app.records.recorded_answer import AnswerRecord, read_answer
from tests.records.explained import explaining
from tests.records.filled_tables import VERSION, add_writer, make_id, name_features, record


@pytest.fixture
def engine(address: str, opened: Callable[[str], Engine]) -> Engine:
    """A database with a request of five rows, one of which was not sampled for recording."""
    engine = opened(address)
    name_features(engine)
    for row in (0, 1, 2, 4):
        values = np.array([row, 66.3], "<f4").tobytes()
        record(engine, make_id(1), row, request_id="theirs", segment="DE", features=values, recorded_share=0.1)
    return engine


def _read(engine: Engine, given_id: str, first_row: int = 0, most_rows: int = 100) -> AnswerRecord | None:
    with engine.connect() as connection:
        return read_answer(connection, given_id, first_row, most_rows)


@pytest.mark.parametrize("given_id", ["theirs", make_id(1)])
def test_answer_is_read_by_either_id(engine: Engine, given_id: str):
    """Everything that was recorded."""
    answer = _read(engine, given_id)

    assert (answer.record_id, answer.request_id, answer.same_request) == (make_id(1), "theirs", [make_id(1)])
    assert (answer.answered_at, answer.model_version, answer.segment) == (1_000_000.0, VERSION, "DE")
    assert [row.row for row in answer.rows] == [0, 1, 2, 4]
    row = answer.rows[3]
    assert row.features == {"mean": 4.0, "sd": 66.3}
    assert (row.score, row.is_inlier, row.confidence, row.recorded_share) == (-0.45, 1, 0.9, 0.1)
    assert (row.labels, answer.next_row, answer.waiting) == ([], None, [])


def test_pages_follow_each_other(engine: Engine):
    """Each has the start of the next one."""
    first = _read(engine, "theirs", 0, 2)
    second = _read(engine, "theirs", first.next_row, 2)

    assert ([row.row for row in first.rows], first.next_row) == ([0, 1], 2)
    assert ([row.row for row in second.rows], second.next_row) == ([2, 4], None)
    assert _read(engine, "theirs", 5) is None


def test_labels_and_their_history_belong_to_their_rows(engine: Engine):
    """The current one first, then those before it."""
    for at, is_inlier in enumerate((-1, 1, -1)):
        take_labels(engine, [GivenLabel("theirs", 1, is_inlier, "desk", f"no. {at}", float(at))])
    take_labels(engine, [GivenLabel("theirs", 4, 1, "", "", 9.0)])

    rows = {row.row: row for row in _read(engine, "theirs").rows}
    assert [(label.note, label.replaced_at) for label in rows[1].labels] == [
        ("no. 2", None),
        ("no. 1", 2),
        ("no. 0", 1),
    ]
    assert [label.given_at for label in rows[4].labels] == [9.0]
    assert rows[0].labels == []


def test_pending_labels_are_shown(engine: Engine):
    """Under whichever id they were given."""
    add_writer(engine)
    for given_id in ("theirs", make_id(1), "others"):
        take_labels(engine, [GivenLabel(given_id, 3, -1, "", "", 1.0)])

    assert [(label.request_id, label.row) for label in _read(engine, "theirs").waiting] == [
        ("theirs", 3),
        (make_id(1), 3),
    ]


def test_records_of_a_repeated_request_are_listed(engine: Engine):
    """The first one is returned; each is found by its own id."""
    record(engine, make_id(2), request_id="theirs")

    assert _read(engine, "theirs").record_id == make_id(1)
    assert _read(engine, make_id(2)).same_request == [make_id(1), make_id(2)]


def test_at_most_twenty_records_of_a_request_are_listed(engine: Engine):
    """The OpenAPI document promises up to 20, and those are the first ones."""
    for number in range(2, 26):
        record(engine, make_id(number), request_id="theirs")

    assert _read(engine, "theirs").same_request == [make_id(number) for number in range(1, 21)]


def test_answer_without_a_request_id_has_its_record_id(engine: Engine):
    """Features that were not recorded are None; those of an unknown version have no names."""
    record(engine, make_id(3), features=None)
    record(engine, make_id(4), model_version="v0")

    answer = _read(engine, make_id(3))
    assert (answer.request_id, answer.same_request) == (make_id(3), [make_id(3)])
    assert answer.rows[0].features is None
    assert _read(engine, make_id(4)).rows[0].features == {"0": 0.56, "1": 0.23}
    assert _read(engine, make_id(5)) is None


def test_answer_is_found_by_searches_of_an_index(engine: Engine):
    """However many there are."""
    with explaining(engine) as steps:
        _read(engine, "theirs")

    assert steps
    assert [step for step in steps if "SCAN" in step and "wanted" not in step and "CONSTANT" not in step] == []
    assert [step for step in steps if "Seq Scan on" in step] == []
