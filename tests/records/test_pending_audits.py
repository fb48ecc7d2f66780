"""Drawn rows without a label are counted, up to a limit."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from app.db.engine import upgrade_database
from app.records import audits
from app.records.audits import count_pending_audits, pending_audits_query
from tests.records.labelled_records import writing

AT = 1_795_000_000.0


def fill(engine: Engine) -> None:
    """Draw six rows: one is labelled, one has a replaced label only, two are handed out."""
    with writing(engine) as records:
        for number in range(6):
            handed_at = AT + 60 if number % 3 == 0 else None
            drawn = records.add_answer(AT, 1, probability=0.001, handed_at=handed_at)
            if number < 2:
                records.add_label(drawn, 1, given_at=AT + 90)
        records.add_answer(AT, 1)  # never drawn


def test_drawn_rows_without_a_label_are_counted(address: str, opened: Callable[[str], Engine]):
    """Handed out or not; in either kind of database."""
    engine = opened(address)
    with engine.connect() as connection:
        assert count_pending_audits(connection) == 0
    fill(engine)

    with engine.connect() as connection:
        assert count_pending_audits(connection) == 4


def test_counting_stops_at_the_limit(sqlite: str, opened: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch):
    """A queue that nobody works on does not cost more every day; labels are found by index."""
    upgrade_database(sqlite)
    engine = opened(sqlite)
    fill(engine)
    monkeypatch.setattr(audits, "MAX_COUNT", 3)

    with engine.connect() as connection:
        compiled = pending_audits_query().compile(engine, compile_kwargs={"literal_binds": True})
        steps = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
        assert count_pending_audits(connection) == 3

    [of_labels] = [step for step in steps if "labels" in step]
    assert re.fullmatch(r"SEARCH labels USING INDEX \w+ \(record_id=\? AND row=\?\)", of_labels)
    assert not any("TEMP B-TREE" in step for step in steps)
