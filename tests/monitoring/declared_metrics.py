"""The metrics that our own code exports."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric

from app import create_app
from app.api.service import service_of
from app.drift.calibration import ALL_DETECTORS, NAMING_DETECTORS
from app.metrics.alarms import AlarmMetrics
from app.metrics.quality import NO_SEGMENT, QualityMetrics
from app.metrics.recorder import RecorderMetrics
from app.metrics.records import REASONS, EventMetrics, RecordsMetrics
from app.metrics.scrape import describe_folder
from app.metrics.service import ServiceMetrics
from app.quality.estimate import METRICS, OutlierRatio
from app.settings import Settings
from training.metrics.monitor import TreeModelMonitor

# Suffixes of the series of a histogram.
_HISTOGRAM_SERIES = ("_bucket", "_count", "_sum")


def service_metrics() -> dict[str, str]:
    """Map each metric of workers, recorder and metric files to its type; counters have the suffix ``_total``."""
    workers, recorder = CollectorRegistry(), CollectorRegistry()
    ServiceMetrics(workers)
    RecorderMetrics(recorder, ALL_DETECTORS, NAMING_DETECTORS)
    QualityMetrics(recorder, METRICS, 0).record_segments({NO_SEGMENT: OutlierRatio(0, 1)})
    RecordsMetrics(recorder, REASONS, is_enabled=True)
    EventMetrics(recorder)
    AlarmMetrics(recorder)
    folder = describe_folder(Path("/nowhere"), recorder_beats=True)
    return _types([*workers.collect(), *recorder.collect(), *folder])


def http_metrics(folder: Path) -> dict[str, str]:
    """Map each further metric of a real service to its type; ``folder`` must not contain a model."""
    app = create_app(Settings(model_dir=str(folder)))
    try:
        exposed = _types(service_of(app).metrics.registry.collect())
    finally:
        service_of(app).close()
    return {name: kind for name, kind in exposed.items() if name not in service_metrics()}


def training_metrics() -> dict[str, str]:
    """Map each metric of a training run to its type."""
    monitor = TreeModelMonitor()
    with monitor.watch_run():
        pass
    return _types(monitor.registry.collect())


def series_names(metrics: dict[str, str]) -> set[str]:
    """Return the names of the series of metrics, as they appear in expressions.

    Examples
    --------
    >>> sorted(series_names({"a_total": "counter", "b": "histogram"}))
    ['a_total', 'b_bucket', 'b_count', 'b_sum']
    """
    return {
        name + suffix
        for name, kind in metrics.items()
        for suffix in (_HISTOGRAM_SERIES if kind == "histogram" else ("",))
    }


def _types(metrics: Iterable[Metric]) -> dict[str, str]:
    """Map names to types."""
    return {metric.name + "_total" * (metric.type == "counter"): metric.type for metric in metrics}
