"""Rows are laid out at a pace that leaves the core to requests."""

from __future__ import annotations

import time

import pytest

from app.recorder.batch_builder import BatchBuilder
from app.recorder.handed_rows import HandedRows
from app.records.known_segments import KnownSegments
from app.records.pace import PIECE_ROWS, Pace
from app.records.record_id import make_record_id
from app.records.row_choice import RowChoice
from tests.recorder.made_rows import make_scored


@pytest.mark.parametrize("n_parts", [1, 5], ids=["one request", "five requests"])
def test_rests_while_a_batch_is_laid_out(n_parts: int, monkeypatch: pytest.MonkeyPatch):
    """After as many rows, whether they came together or not, and whether they are recorded or not."""
    rests: list[float] = []
    monkeypatch.setattr("app.records.pace.time.sleep", rests.append)
    builder = BatchBuilder(RowChoice(0, 0), KnownSegments(50), keeps_features=True, pace=Pace(lambda: 0))
    record_id = make_record_id()
    part = HandedRows(time.time(), record_id, "v1", 0, make_scored(5 * PIECE_ROWS // n_parts), record_id=record_id)

    batch = builder.build([part] * n_parts)

    assert batch.n_rows == 5 * PIECE_ROWS
    assert 0 < len(batch.predictions) < batch.n_rows
    assert len(rests) == 5
