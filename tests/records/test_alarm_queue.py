"""Alarms are handed out in random order, mixed with inliers on request, and labelled rows to a second person."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert, select

from app.db.engine import upgrade_database
from app.db.tables import AUDIT_ROUNDS, AUDITS
from app.quality.estimate import Estimate
from app.records.audits import hand_out
from app.records.feedback import take_labels
from app.records.labels import GivenLabel
from app.records.second_labels import estimate_label_noise
from app.records.window import Window
from tests.records.filled_tables import draw, make_id, record

ALARMS, INLIERS = range(100, 110), range(10)


@pytest.fixture
def engine(sqlite: str, opened: Callable[[str], Engine]) -> Engine:
    """Ten drawn inliers and ten alarms, each queue in the order of the ids."""
    upgrade_database(sqlite)
    engine = opened(sqlite)
    for number in INLIERS:
        draw(engine, make_id(number), number / 10)
    for number in ALARMS:
        record(engine, make_id(number), is_inlier=-1)
        alarm = {"record_id": make_id(number), "row": 0, "probability": 1.0, "position": (number - 100) / 10}
        with engine.begin() as connection:
            connection.execute(insert(AUDITS).values(**alarm, is_inlier=-1))
    return engine


def _hand_out(engine: Engine, n: int, now: float, kind: str, caller: str | None = None) -> list[int]:
    """Hand out rows, and return the numbers of their ids."""
    numbers = {make_id(number): number for number in (*INLIERS, *ALARMS)}
    return [numbers[row.key.record_id] for row in hand_out(engine, n, now, kind, caller)]


def _label(engine: Engine, number: int, label: int, given_by: str | None = None, source: str = "") -> None:
    """Label a row."""
    take_labels(engine, [GivenLabel(make_id(number), 0, label, source, "", 9.0, given_by)])


def _rounds(engine: Engine) -> list[tuple[float, int, float]]:
    """Read how far each hand-out came."""
    with engine.connect() as connection:
        rounds = connection.execute(select(AUDIT_ROUNDS).where(AUDIT_ROUNDS.c.at < 1e6).order_by(AUDIT_ROUNDS.c.id))
        return [(each.at, each.is_inlier, each.reach) for each in rounds]


def test_alarms_have_a_queue_of_their_own(engine: Engine):
    """Each hand-out records the first position that it did not reach; nothing is recorded if nothing is left."""
    assert _hand_out(engine, 4, 1.0, "alarms") == [100, 101, 102, 103]
    assert _hand_out(engine, 2, 2.0, "inliers") == [0, 1]
    assert _hand_out(engine, 6, 3.0, "alarms") == [104, 105, 106, 107, 108, 109]
    assert _hand_out(engine, 6, 4.0, "alarms") == []

    assert _rounds(engine) == [(1.0, -1, 0.4), (2.0, 1, 0.2), (3.0, -1, 1.0)]


def test_mixed_rows_do_not_tell_which_are_alarms(engine: Engine):
    """Half of each, sorted by time; what one queue lacks, the other has."""
    mixed = _hand_out(engine, 6, 1.0, "mixed")

    assert mixed == [0, 1, 2, 100, 101, 102]
    assert len(_hand_out(engine, 1, 2.0, "mixed")) == 1
    assert len(_hand_out(engine, 100, 3.0, "mixed")) == 13
    assert _hand_out(engine, 100, 4.0, "mixed") == []


def test_labelled_rows_are_handed_out_to_a_second_person(engine: Engine):
    """Once, in random order, and not to the one who labelled them."""
    _hand_out(engine, 4, 1.0, "inliers")
    for number, by in ((0, "ann"), (1, "ben"), (2, None)):
        _label(engine, number, 1, by)

    assert _hand_out(engine, 9, 2.0, "second", "ann") == [1, 2]
    assert _hand_out(engine, 9, 3.0, "second", "ann") == []
    assert _hand_out(engine, 9, 4.0, "second") == [0]


def test_share_of_wrong_labels_follows_from_second_labels(engine: Engine):
    """Only opinions of two people: another key, or another source. Two people who agree are recorded, too."""
    _hand_out(engine, 10, 1.0, "inliers")
    for number in INLIERS:
        _label(engine, number, 1, "ann")
    _hand_out(engine, 10, 2.0, "second", "ben")
    for number in range(8):
        _label(engine, number, -1 if number == 0 else 1, "ben")
    _label(engine, 8, 1, "ann", source="the other desk")
    _label(engine, 9, -1, "ann")  # changed her mind

    with engine.connect() as connection:
        found = estimate_label_noise(connection, Window(0, 10**7))
        none = estimate_label_noise(connection, Window(0, 3600))

    assert found.n_labels == 9
    assert found.value == pytest.approx((1 - (1 - 2 / 9) ** 0.5) / 2)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.06 < found.high
    assert none == Estimate.unknown("no row has one from a second person", 0)
