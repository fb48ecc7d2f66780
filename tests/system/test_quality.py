"""From predictions through the recorder and labels to figures: in ``GET /quality`` and in the metrics."""

from __future__ import annotations

import math
import os
import signal
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

# As many customers spend, and as none does.
ROW, FAR_ROW = [-0.1, -0.1], [60.0, 60.0]

ALARMS, TRUE_ALARMS, INLIERS = 30, 24, 100


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


def predict(service: RunningService, row: list[float], n_rows: int, label: int) -> str:
    """Ask for labels that are known beforehand, and give the id of their record."""
    body = {"feature_vectors": [row] * n_rows}
    answer = service.session.post(f"{service.address}/predictions", json=body, timeout=30)
    assert answer.json()["is_inlier"] == [label] * n_rows
    return answer.headers["X-Record-ID"]


def give_labels(service: RunningService, rows: list[tuple[str, int]], n_outliers: int) -> None:
    """Label rows, the first ones as outliers."""
    labels = [
        {"request_id": record_id, "row": row, "is_inlier": -1 if place < n_outliers else 1, "source": "tests"}
        for place, (record_id, row) in enumerate(rows)
    ]
    answer = service.session.post(f"{service.address}/feedback", json=labels, timeout=30)
    assert (answer.status_code, answer.json()["taken"]) == (202, len(rows))


def test_labels_become_figures(tmp_path: Path, credits_models: Path):
    """The answers are counted exactly; a recorder that is started anew tells Prometheus what the database knows."""
    with start_service(tmp_path, credits_models, AUDIT_SHARE="1") as service:
        wait_until(lambda: service.get("/quality").ok, "the tables of records", service)
        assert math.isnan(precision_of(service) or 0)
        alarms = predict(service, FAR_ROW, ALARMS, label=-1)
        predict(service, ROW, INLIERS, label=1)
        wait_until(lambda: group_of(service)["rows"] == ALARMS + INLIERS, "the records", service)
        give_labels(service, [(alarms, row) for row in range(ALARMS)], TRUE_ALARMS)
        drawn = service.get(f"/audit/next?n={INLIERS}").json()["rows"]
        give_labels(service, [(row["record_id"], row["row"]) for row in drawn], n_outliers=1)

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
