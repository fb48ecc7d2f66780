"""Predictions and labels become quality figures in ``GET /quality`` and in the metrics."""

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

# A typical inlier, and a clear outlier.
ROW, FAR_ROW = [-0.1, -0.1], [60.0, 60.0]

ALARMS, TRUE_ALARMS, INLIERS = 30, 24, 100


# A different window for each request: a worker caches recent ones, and records are kept for 720 hours.
_HOURS = cycle(range(1, 700))


def overall_figures(service: RunningService) -> dict[str, Any]:
    """Request the figures for all answers, for a window that is not cached."""
    overall: dict[str, Any] = service.get(f"/quality?window={next(_HOURS)}h").json()["overall"]
    return overall


def version_of(service: RunningService) -> str:
    """Return the version of the live model."""
    return str(service.get("/model_information").json()["model"]["version"])


def precision_of(service: RunningService) -> float | None:
    """Return the live model's precision in the metrics; None before the recorder knows the model."""
    families = text_string_to_metric_families(service.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == "model_quality"]
    return next(
        (
            sample.value
            for sample in samples
            if sample.labels == {"metric": "precision", "model_version": version_of(service)}
        ),
        None,
    )


def predict(service: RunningService, row: list[float], n_rows: int, label: int) -> str:
    """Request labels that are known in advance, and return the record's id."""
    body = {"feature_vectors": [row] * n_rows}
    answer = service.session.post(f"{service.address}/predictions", json=body, timeout=30)
    assert answer.json()["is_inlier"] == [label] * n_rows
    return answer.headers["X-Record-ID"]


def submit_labels(service: RunningService, rows: list[tuple[str, int]], n_outliers: int) -> None:
    """Submit true labels for rows, outliers first."""
    labels = [
        {"request_id": record_id, "row": row, "is_inlier": -1 if place < n_outliers else 1, "source": "tests"}
        for place, (record_id, row) in enumerate(rows)
    ]
    answer = service.session.post(f"{service.address}/feedback", json=labels, timeout=30)
    assert (answer.status_code, answer.json()["taken"]) == (202, len(rows))


def test_labels_become_figures(tmp_path: Path, credits_models: Path):
    """The figures are exact, and a restarted recorder exports what is in the database."""
    with start_service(tmp_path, credits_models, AUDIT_SHARE="1") as service:
        wait_until(lambda: service.get("/quality").ok, "the tables of records", service)
        precision = precision_of(service)
        assert precision is None or math.isnan(precision)
        alarms = predict(service, FAR_ROW, ALARMS, label=-1)
        predict(service, ROW, INLIERS, label=1)
        wait_until(lambda: overall_figures(service)["rows"] == ALARMS + INLIERS, "the records", service)
        submit_labels(service, [(alarms, row) for row in range(ALARMS)], TRUE_ALARMS)
        drawn = service.session.post(f"{service.address}/audit/next", json={"n": INLIERS}, timeout=30).json()["rows"]
        submit_labels(service, [(row["record_id"], row["row"]) for row in drawn], n_outliers=1)

        whole = overall_figures(service)
        os.kill(service.recorder(), signal.SIGKILL)
        wait_until(
            lambda: precision_of(service) == whole["figures"]["precision"]["value"],
            "the figures in the metrics",
            service,
        )

        assert (whole["outliers"], whole["labelled_alarms"], whole["audited_inliers"]) == (ALARMS, ALARMS, INLIERS)
        assert whole["figures"]["precision"]["value"] == TRUE_ALARMS / ALARMS
        assert whole["figures"]["recall"]["value"] == TRUE_ALARMS / (TRUE_ALARMS + 1)
        live = {"model_version": version_of(service)}
        # A scrape in the middle of the recorder's update has the precision and not yet what follows it.
        names = ("model_quality_low{", "model_quality_labels{", "segment_rows{")
        wait_until(lambda: all(name in service.get("/metrics").text for name in names), "all figures", service)
        assert service.metric("model_quality_low", metric="recall", **live) < TRUE_ALARMS / (TRUE_ALARMS + 1)
        assert service.metric("model_quality_labels", kind="audited", **live) == INLIERS
        assert service.metric("segment_rows", segment="none", **live) == ALARMS + INLIERS
        assert service.metric("audit_waiting_rows") == 0
        assert service.metric("model_max_age_seconds") == 90 * 86400
        assert service.stop() == 0
