"""Batches are built with pauses that leave the core to requests."""

from __future__ import annotations

import time

import pytest
from prometheus_client import CollectorRegistry

from app.db.bulk_insert import PIECE_ROWS, Throttle
from app.db.ids import make_record_id
from app.metrics.alarms import AlarmMetrics
from app.recorder.alarms import AlarmExplainer, ExplainedAlarms
from app.recorder.batch import BatchBuilder, RowSampler
from app.recorder.protocol import PublishedRows
from app.records.writing import KnownSegments
from tests.recorder.made_rows import make_scored


@pytest.mark.parametrize("n_parts", [1, 5], ids=["one request", "five requests"])
def test_pauses_while_a_batch_is_built(n_parts: int, monkeypatch: pytest.MonkeyPatch):
    """After a fixed number of rows, however they are grouped, recorded or not."""
    pauses: list[float] = []
    monkeypatch.setattr("app.db.bulk_insert.time.sleep", pauses.append)
    throttle = Throttle(lambda: 0)
    alarms = AlarmExplainer(AlarmMetrics(CollectorRegistry()), with_features=True, throttle=throttle)
    builder = BatchBuilder(RowSampler(0, 0), KnownSegments(50), with_features=True, throttle=throttle, alarms=alarms)
    record_id = make_record_id()
    part = PublishedRows(time.time(), record_id, "v1", 0, make_scored(5 * PIECE_ROWS // n_parts), record_id=record_id)

    batch = builder.build([part] * n_parts, ExplainedAlarms())

    assert batch.n_rows == 5 * PIECE_ROWS
    assert 0 < len(batch.predictions) < batch.n_rows
    assert len(pauses) == 5
