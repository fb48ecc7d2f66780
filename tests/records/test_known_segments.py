"""Only so many segments have a name of their own, however many callers make up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select

from app.db.tables import SEGMENTS
from app.records.writing import KnownSegments


@pytest.fixture
def engine(address: str, opened: Callable[[str], Engine]) -> Engine:
    """An empty database."""
    return opened(address)


def test_later_segments_are_one(engine: Engine):
    """The first ones keep their names; no segment is none of them."""
    segments = KnownSegments(2)
    segments.learn(engine, {"de", ""})
    segments.learn(engine, {"at", "de"})
    segments.learn(engine, {"ch"})

    assert [segments.name(given) for given in ("de", "at", "ch", "")] == ["de", "at", "other", ""]
    with engine.connect() as connection:
        assert set(connection.scalars(select(SEGMENTS.c.name))) == {"de", "at"}


def test_restart_knows_them_still(engine: Engine):
    """A segment does not become another because the service was restarted."""
    KnownSegments(2).learn(engine, {"de", "at"})
    next_one = KnownSegments(2)
    next_one.learn(engine, {"ch", "at"})

    assert [next_one.name(given) for given in ("de", "at", "ch")] == ["de", "at", "other"]


def test_two_recorders_add_no_more_than_one(engine: Engine):
    """Each learns what the other has added."""
    one, other = KnownSegments(2), KnownSegments(2)
    one.learn(engine, {"de"})
    other.learn(engine, {"at"})
    one.learn(engine, {"ch"})

    assert [one.name(given) for given in ("de", "at", "ch")] == ["de", "at", "other"]
