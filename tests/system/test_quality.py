"""From predictions through the recorder and labels to figures: in ``GET /quality`` and in the metrics."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import time
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

# As many customers spend, and as none does.
ROW, FAR_ROW = [-0.1, -0.1], [60.0, 60.0]

ALARMS, TRUE_ALARMS, INLIERS = 30, 24, 300


# Asked for one after the other: a worker keeps what it was asked for lately, and records are kept for 720 hours.
_HOURS = cycle(range(1, 700))


def group_of(service: RunningService) -> dict[str, Any]:
    """Ask for the figures of all answers, of a window that nobody has asked for lately."""
    overall: dict[str, Any] = service.get(f"/quality?window={next(_HOURS)}h").json()["overall"]
    return overall


def precision_of(service: RunningService) -> float | None:
    """Look the figure up that Prometheus gets; None while one recorder has gone and the next has not begun."""
    families = text_string_to_metric_families(service.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == "model_quality"]
    return next((sample.value for sample in samples if sample.labels == {"metric": "precision"}), None)


def label_everything(records: Path) -> None:
    """Let every alarm be labelled, and all inliers be drawn, handed out and labelled, one of them as a miss."""
    with closing(sqlite3.connect(records)) as connection, connection:
        connection.execute("UPDATE audits SET handed_at = ?", (time.time(),))
        connection.execute(
            "INSERT INTO labels (record_id, row, is_inlier, source, note, given_at) SELECT record_id, row, CASE "
            "row_number() OVER (PARTITION BY is_inlier ORDER BY record_id, row) <= iif(is_inlier = -1, ?, 1) "
            "WHEN 1 THEN -1 ELSE 1 END, 'tests', '', ? FROM predictions",
            (TRUE_ALARMS, time.time()),
        )


def test_labels_become_figures(tmp_path: Path, credits_models: Path):
    """The answers are counted exactly; a recorder that is started anew tells Prometheus what the database knows."""
    with start_service(tmp_path, credits_models, AUDIT_SHARE="1") as service:
        wait_until(lambda: service.get("/quality").ok, "the tables of records", service)
        assert math.isnan(precision_of(service) or 0)
        for row, n_rows, label in ((FAR_ROW, ALARMS, -1), (ROW, INLIERS, 1)):
            body = {"feature_vectors": [row] * n_rows}
            answer = service.session.post(f"{service.address}/predictions", json=body, timeout=30)
            assert answer.json()["is_inlier"] == [label] * n_rows
        wait_until(lambda: group_of(service)["rows"] == ALARMS + INLIERS, "the records", service)
        label_everything(tmp_path / "records" / "records.db")

        whole = group_of(service)
        os.kill(service.recorder(), signal.SIGKILL)
        wait_until(
            lambda: precision_of(service) == whole["figures"]["precision"]["value"],
            "the figures in the metrics",
            service,
        )

        assert (whole["outliers"], whole["labelled_alarms"], whole["audited_inliers"]) == (ALARMS, ALARMS, INLIERS)
        assert whole["figures"]["precision"]["value"] == TRUE_ALARMS / ALARMS
        assert whole["figures"]["recall"]["value"] == TRUE_ALARMS / (TRUE_ALARMS + 1)
        assert service.metric("model_quality_low", metric="recall") < TRUE_ALARMS / (TRUE_ALARMS + 1)
        assert service.metric("model_quality_labels", kind="audited") == INLIERS
        assert service.metric("segment_rows", segment="none") == ALARMS + INLIERS
        assert service.metric("audit_waiting_rows") == 0
        assert service.metric("model_max_age_seconds") == 90 * 86400
        assert service.stop() == 0
