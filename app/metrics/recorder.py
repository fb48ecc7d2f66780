"""The metrics that the recorder writes, and the one that it shares with the workers; see ``app.metrics.service``.

There is one recorder, so that of its gauges the most recent value counts. What is no longer live is set to 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge

from app.metrics.histogram import VectorHistogram

# 1 is the alarm line; the narrow buckets around it show how near the detectors come to it while nothing happens.
RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)

SENT, DROPPED, RECORDED = "sent", "dropped", "recorded"


def count_rows(registry: CollectorRegistry) -> Counter:
    """Declare what becomes of scored rows; every process starts with 0 of each."""
    rows = Counter(
        "recorder_rows_total",
        "Rows that workers sent to the recorder or had to drop, and rows that it recorded; lost = sent - recorded.",
        ("result",),
        registry=registry,
    )
    for result in (SENT, DROPPED, RECORDED):
        rows.labels(result)
    return rows


class RecorderMetrics:
    """What the recorder tells of itself and of the drift detectors.

    Parameters
    ----------
    registry
        Where the metrics are registered.
    detectors
        The names of the detectors.
    naming_detector
        The one of them that names a feature with each alarm.

    Examples
    --------
    >>> metrics = RecorderMetrics(registry := CollectorRegistry(), ["mmd", "cvm"], "cvm")
    >>> metrics.record_alarm("cvm", "mean", is_event=False)
    >>> registry.get_sample_value("drift_alarms_total", {"detector": "cvm", "feature": "mean"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry, detectors: Sequence[str], naming_detector: str) -> None:
        self._naming_detector = naming_detector
        self._recorded = count_rows(registry).labels(RECORDED)
        self._ratios = VectorHistogram(
            "drift_test_stat",
            "Statistic over threshold of each check of a drift detector: 1 is the alarm line.",
            ("detector",),
            buckets=RATIOS,
            registry=registry,
        )
        labels = ("detector", "feature")
        self._alarms = Counter("drift_alarms_total", "First alarms of a drift detector.", labels, registry=registry)
        self._events = Counter(
            "drift_events_total",
            "Alarms of a drift detector that the next windows confirmed.",
            labels,
            registry=registry,
        )
        self._thresholds = _gauge("drift_threshold", "The alarm line of a drift detector.", "detector", registry)
        self._statistics = _gauge("drift_last_stat", "The last statistic of a drift detector.", "detector", registry)
        self._active = _gauge("drift_active", "1 while a confirmed drift is not over.", "detector", registry)
        self._fill = Gauge(
            "drift_window_fill_ratio",
            "The part of the detectors' window that is filled, 0 to 1; they check nothing before it is full.",
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self._distances = _gauge(
            "drift_feature_distance",
            "How far a feature is from training; one window in a thousand is beyond 1 while nothing changes.",
            "feature_name",
            registry,
        )
        self._live_features: tuple[str, ...] = ()
        for detector in detectors:
            self._ratios.labels(detector)
            if detector != naming_detector:
                self._alarms.labels(detector, "")
                self._events.labels(detector, "")
            for gauge in (self._thresholds, self._statistics, self._active):
                gauge.labels(detector).set(0)
        self._fill.set(0)
        self._detectors = tuple(detectors)

    def record_rows(self, n_rows: int) -> None:
        """Count rows that arrived and were dealt with."""
        self._recorded.inc(n_rows)

    def record_watched_features(self, names: Sequence[str]) -> None:
        """Begin at 0 for the features of another model; none if no drift is watched."""
        for name in self._live_features:
            self._distances.labels(name).set(0)
        for name in names:
            self._alarms.labels(self._naming_detector, name)
            self._events.labels(self._naming_detector, name)
            self._distances.labels(name).set(0)
        self._live_features = tuple(names)
        for detector in self._detectors:
            for gauge in (self._thresholds, self._statistics, self._active):
                gauge.labels(detector).set(0)
        self._fill.set(0)

    def record_checks(self, ratios: Mapping[str, Sequence[float]]) -> None:
        """Observe statistics over thresholds, by detector."""
        for detector, values in ratios.items():
            self._ratios.labels(detector).observe_many(np.asarray(values, np.float64))

    def record_alarm(self, detector: str, feature: str, is_event: bool) -> None:
        """Count a first alarm, or an event: an alarm that was confirmed."""
        (self._events if is_event else self._alarms).labels(detector, feature).inc()

    def record_detector(self, name: str, threshold: float, statistic: float | None, is_active: bool) -> None:
        """Note where a detector stands; the statistic is None until a window has been full."""
        self._thresholds.labels(name).set(threshold)
        self._statistics.labels(name).set(statistic or 0)
        self._active.labels(name).set(is_active)

    def record_window(self, fill: float, distances: Mapping[str, float]) -> None:
        """Note how full the window is, 0 to 1, and how far each feature is from training."""
        self._fill.set(fill)
        for name, distance in distances.items():
            self._distances.labels(name).set(distance)


def _gauge(name: str, meaning: str, label: str, registry: CollectorRegistry) -> Gauge:
    """Declare a gauge with one label."""
    return Gauge(name, meaning, (label,), registry=registry, multiprocess_mode="livemostrecent")
