"""Starts to tell Prometheus the answers' quality, unless records are off."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from app.metrics.quality import QualityMetrics
from app.quality.estimate import METRICS
from app.records.timestamps import SECONDS_PER_DAY
from app.settings import Settings


def start_quality_watch(
    settings: Settings, registry: CollectorRegistry, live_version: Callable[[], str]
) -> Callable[[], None]:
    """Start, and give what ends it.

    Parameters
    ----------
    settings
        Where records are, and how far to look back.
    registry
        Where the metrics are registered, records or not.
    live_version
        Gives the version of the live model, or raises ``ModelUnavailable``.
    """
    metrics = QualityMetrics(registry, METRICS, settings.model_max_age_days * SECONDS_PER_DAY)
    if not settings.record_predictions:
        return lambda: None
    # Only now: without records, nobody needs SQLAlchemy and its 20 MB.
    from app.recorder.quality import QualityWatch

    watch = QualityWatch(settings.database_url, settings.quality_window_days, live_version, metrics)
    watch.start()
    return watch.stop
