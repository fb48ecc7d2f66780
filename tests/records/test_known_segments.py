"""A limited number of segments is recorded by name, however many callers make up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from unittest.mock import MagicMock

import pytest
from sqlalchemy import Engine, event, select

from app.db.tables import SEGMENTS
from app.records.writing import KnownSegments


@pytest.fixture
def engine(address: str, opened: Callable[[str], Engine]) -> Engine:
    """An empty database."""
    return opened(address)


def test_further_segments_share_one_name(engine: Engine):
    """The first ones keep their names; rows without a segment stay without one."""
    segments = KnownSegments(2)
    segments.learn(engine, {"de", ""})
    segments.learn(engine, {"at", "de"})
    segments.learn(engine, {"ch"})

    assert [segments.name(given) for given in ("de", "at", "ch", "")] == ["de", "at", "other", ""]
    with engine.connect() as connection:
        assert set(connection.scalars(select(SEGMENTS.c.name))) == {"de", "at"}


def test_restart_keeps_the_names(engine: Engine):
    """A segment does not change its name because the service was restarted."""
    KnownSegments(2).learn(engine, {"de", "at"})
    next_one = KnownSegments(2)
    next_one.learn(engine, {"ch", "at"})

    assert [next_one.name(given) for given in ("de", "at", "ch")] == ["de", "at", "other"]


def test_two_recorders_share_the_limit(engine: Engine):
    """Each learns what the other has added."""
    one, other = KnownSegments(2), KnownSegments(2)
    one.learn(engine, {"de"})
    other.learn(engine, {"at"})
    one.learn(engine, {"ch"})

    assert [one.name(given) for given in ("de", "at", "ch")] == ["de", "at", "other"]


def test_recorders_at_the_same_time_add_no_more_than_allowed(address: str, opened: Callable[[str], Engine]):
    """The second waits for the first, instead of counting what is there before the first has committed."""
    first_engine, second_engine = opened(address), opened(address)
    second = threading.Thread(target=lambda: KnownSegments(1).learn(second_engine, {"at"}))

    @event.listens_for(first_engine, "before_cursor_execute")
    def before_insert(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("INSERT INTO segments"):
            second.start()
            second.join(0.3)  # long enough to finish, if nothing made it wait

    KnownSegments(1).learn(first_engine, {"de"})
    second.join()

    with first_engine.connect() as connection:
        assert connection.scalars(select(SEGMENTS.c.name)).all() == ["de"]


def test_table_is_locked_in_postgresql_before_it_is_read():
    """By the statements alone, so that it is checked without a server, too."""
    connection = MagicMock()
    connection.dialect.name = "postgresql"
    connection.scalars.return_value = []
    engine = MagicMock()
    engine.begin.return_value.__enter__.return_value = connection

    KnownSegments(1).learn(engine, {"de"})

    [lock, read, *_] = connection.method_calls
    assert str(lock.args[0]) == "LOCK TABLE segments IN SHARE ROW EXCLUSIVE MODE"
    assert str(read.args[0]).startswith("SELECT segments.name")
