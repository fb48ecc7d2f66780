"""The recorder pauses between pieces of its work, unless rows pile up."""

from __future__ import annotations

import pytest

from app.db.bulk_insert import PIECE_ROWS, Throttle


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, in seconds."""
    taken: list[float] = []
    monkeypatch.setattr("app.db.bulk_insert.time.sleep", taken.append)
    return taken


def test_it_pauses_after_each_piece(pauses: list[float]):
    """However the rows arrive: one by one, or as a batch, which is followed by one pause."""
    pace = Throttle(lambda: 0)

    for _ in range(2 * PIECE_ROWS + 1):
        pace.step()
    assert len(pauses) == 2
    pace.step(10 * PIECE_ROWS)

    assert len(pauses) == 3
    assert all(0 < seconds < 0.001 for seconds in pauses)


def test_it_does_not_pause_while_rows_pile_up(pauses: list[float]):
    """And pauses again afterwards."""
    waiting = 50_000
    pace = Throttle(lambda: waiting)

    pace.step(PIECE_ROWS)
    assert pauses == []
    waiting = 500
    pace.step(PIECE_ROWS)

    assert len(pauses) == 1
