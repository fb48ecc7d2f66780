"""A recorded row is found by record id or request id, with index searches only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from app.records.lookup import RecordKey, RowName, find_record, find_rows, list_records
from tests.records.explained import explaining
from tests.records.filled_tables import make_id, record


@pytest.fixture
def engine(address: str, opened: Callable[[str], Engine]) -> Engine:
    """An empty database."""
    return opened(address)


def _find(engine: Engine, *names: tuple[str, int]) -> dict[RowName, RecordKey]:
    """Find rows, and return their keys."""
    with engine.connect() as connection:
        found = find_rows(connection, [RowName(*name) for name in names])
    return {name: row.key for name, row in found.items()}


def test_row_is_found_by_record_id_and_request_id(engine: Engine):
    """With the predicted label; rows that are not recorded are left out."""
    record(engine, make_id(1), 0, request_id="theirs")
    record(engine, make_id(1), 3, request_id="theirs", is_inlier=-1, answered_at=7.5)
    record(engine, make_id(2))

    asked = [(make_id(1), 3), ("theirs", 0), ("theirs", 3), (make_id(2), 0), ("theirs", 1), (make_id(3), 0), ("x", 0)]
    assert _find(engine, *asked) == {
        (make_id(1), 3): (make_id(1), 3),
        ("theirs", 0): (make_id(1), 0),
        ("theirs", 3): (make_id(1), 3),
        (make_id(2), 0): (make_id(2), 0),
    }
    with engine.connect() as connection:
        row = find_rows(connection, [RowName("theirs", 3)])[RowName("theirs", 3)]
    assert (row.is_inlier, row.answered_at) == (-1, 7.5)


def test_first_record_of_a_repeated_request_is_used(engine: Engine):
    """Even for a row that only a later one has; by record id, each is found."""
    for number in (3, 1, 2):
        record(engine, make_id(number), 0, request_id="again")
    record(engine, make_id(2), 5, request_id="again")

    assert _find(engine, ("again", 0), ("again", 5), (make_id(3), 0)) == {
        ("again", 0): (make_id(1), 0),
        (make_id(3), 0): (make_id(3), 0),
    }
    with engine.connect() as connection:
        assert find_record(connection, "again") == make_id(1)
        assert list_records(connection, "again", 20) == [make_id(1), make_id(2), make_id(3)]
        assert list_records(connection, "again", 2) == [make_id(1), make_id(2)]
        assert list_records(connection, "nobody", 2) == []
        assert find_record(connection, "nobody") is None


def test_id_is_looked_up_as_a_record_id_first(engine: Engine):
    """A caller may use another record's id as its request id."""
    record(engine, make_id(1))
    record(engine, make_id(2), request_id=make_id(1))
    record(engine, make_id(3), request_id="a" * 32)

    assert _find(engine, (make_id(1), 0), ("a" * 32, 0)) == {
        (make_id(1), 0): (make_id(1), 0),
        ("a" * 32, 0): (make_id(3), 0),
    }
    with engine.connect() as connection:
        assert find_record(connection, make_id(1)) == make_id(1)


def test_a_thousand_rows_are_found_at_once(engine: Engine):
    """Half of them by record id, half by request id; a repeated name counts once."""
    for number in range(20):
        record(engine, make_id(number), request_id=f"r{number}")
    asked = [(make_id(number), 0) for number in range(500)] + [(f"r{number}", 0) for number in range(500)]

    assert len(_find(engine, *asked, *asked)) == 40


def test_no_search_reads_a_whole_table(engine: Engine):
    """Neither for one row nor for many, nor for the records of a request."""
    for number in range(200):
        record(engine, make_id(number), request_id=f"r{number}" if number % 2 else None)
    with explaining(engine) as steps, engine.connect() as connection:
        find_rows(connection, [RowName(make_id(2), 0), RowName("r3", 0), RowName("x", 0)])
        find_record(connection, "r5")
        list_records(connection, "r5", 5)

    assert [step for step in steps if "SCAN predictions" in step or "Seq Scan on predictions" in step] == []
    assert any("predictions_by_request_id" in step for step in steps)
    assert any("PRIMARY KEY" in step or "predictions_pkey" in step for step in steps)
