"""Metrics follow the rules that several processes and Prometheus impose."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Gauge

from app.metrics.service import ERROR, INVALID, NO_MODEL, SUCCESS, ServiceMetrics


class _Registry(CollectorRegistry):
    """A registry that lists its collectors."""

    def __init__(self) -> None:
        super().__init__()
        self.collectors: list[object] = []

    def register(self, collector) -> None:
        super().register(collector)
        self.collectors.append(collector)


@pytest.fixture
def registry() -> _Registry:
    """A registry for the service's metrics."""
    return _Registry()


@pytest.fixture
def metrics(registry: _Registry) -> ServiceMetrics:
    """The service's metrics."""
    return ServiceMetrics(registry)


def test_every_gauge_declares_how_workers_are_combined(registry: _Registry, metrics: ServiceMetrics):
    """No gauge creates a series per process, and none keeps the value of a dead worker."""
    modes = {gauge._multiprocess_mode for gauge in registry.collectors if isinstance(gauge, Gauge)}

    assert modes
    assert all(mode.startswith("live") and mode != "liveall" for mode in modes)


def test_label_values_exist_before_they_happen(registry: _Registry, metrics: ServiceMetrics):
    """The first error after a start is a step from 0."""
    metrics.record_live_model("isowatch", "v1", loaded_at=1, trained_at=2, outlier_ratio=0.1)

    for name, labels in [
        ("predicted_class_total", {"class_name": "inlier"}),
        ("predicted_class_total", {"class_name": "outlier"}),
        ("model_swaps_total", {"result": "swapped"}),
        ("model_swaps_total", {"result": "refused"}),
        ("model_prediction_requests_total", {"model_version": NO_MODEL, "status": ERROR}),
        ("model_prediction_duration_seconds_count", {"model_version": "v1"}),
        *(("model_prediction_requests_total", {"model_version": "v1", "status": s}) for s in (SUCCESS, INVALID, ERROR)),
    ]:
        assert registry.get_sample_value(name, labels) == 0, (name, labels)


def test_scored_rows_are_counted_everywhere(registry: _Registry, metrics: ServiceMetrics):
    """One call counts labels, classes and scores, and the mean score follows from counters that only rise."""
    scores, labels = np.array([-0.4, -0.5, -0.9]), np.array([1, 1, -1])
    metrics.record_scored_rows(scores, labels, np.array([0.95, 0.55, 1.0]))

    value = registry.get_sample_value
    assert value("predicted_class_total", {"class_name": "inlier"}) == 2
    assert value("predicted_class_total", {"class_name": "outlier"}) == 1
    assert value("predictions_output_bucket", {"le": "-1.0"}) == 1
    assert value("predictions_output_bucket", {"le": "1.0"}) == 3
    assert value("predictions_scores_bucket", {"le": "-0.5"}) == 2
    assert value("prediction_confidence_bucket", {"le": "0.6"}) == 1
    assert value("prediction_confidence_bucket", {"le": "1.0"}) == 3
    assert value("prediction_confidence_sum") == pytest.approx(2.5)
    count, magnitude = value("predictions_scores_count"), value("prediction_score_magnitude_total")
    assert count == 3
    assert -magnitude / count == pytest.approx(scores.mean())


def test_retired_model_is_zero(registry: _Registry, metrics: ServiceMetrics):
    """Queries ask for `model_info == 1`."""
    for version in ("v1", "v2"):
        metrics.record_live_model("isowatch", version, loaded_at=1, trained_at=2, outlier_ratio=0.1)
    metrics.record_retired_model("isowatch", "v1")

    labels = {"model_name": "isowatch", "algorithm": "isolation_forest"}
    assert registry.get_sample_value("model_info", labels | {"model_version": "v1"}) == 0
    assert registry.get_sample_value("model_info", labels | {"model_version": "v2"}) == 1
