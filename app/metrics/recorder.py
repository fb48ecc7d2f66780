"""The metrics of the recorder and of the drift detectors in it.

There is one recorder, so the most recent value of each gauge counts. Gauges of what is no longer live are set to 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge

from app.metrics.histogram import VectorHistogram
from app.metrics.service import NO_MODEL, RECORDED, declare_row_counter

# 1 is the threshold; the narrow buckets around it show how close statistics come to it while nothing changes.
RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)


class RecorderMetrics:
    """The metrics of the recorder and of the drift detectors.

    Parameters
    ----------
    registry
        Where the metrics are registered.
    detectors
        The names of the detectors.
    naming_detectors
        The detectors that name a feature with a drift signal; False for those that do so only sometimes.

    Examples
    --------
    >>> metrics = RecorderMetrics(registry := CollectorRegistry(), ["mmd", "cvm"], {"cvm": True})
    >>> metrics.record_alarm("cvm", "mean", is_event=False)
    >>> registry.get_sample_value("drift_alarms_total", {"detector": "cvm", "feature": "mean"})
    1.0
    """

    def __init__(
        self, registry: CollectorRegistry, detectors: Sequence[str], naming_detectors: Mapping[str, bool]
    ) -> None:
        self._naming_detectors = tuple(naming_detectors)
        self._recorded = declare_row_counter(registry).labels(RECORDED)
        self._ratios = VectorHistogram(
            "drift_test_stat",
            "Statistic divided by threshold at each check of a drift detector: drift is signalled above 1.",
            ("detector",),
            buckets=RATIOS,
            registry=registry,
        )
        labels = ("detector", "feature")
        self._alarms = Counter(
            "drift_alarms_total", "Signals of a drift detector, confirmed or not.", labels, registry=registry
        )
        self._events = Counter(
            "drift_events_total",
            "Drift events: lasting changes, which a detector has confirmed.",
            labels,
            registry=registry,
        )
        # By model: a rule's window over a swap must not mix one model's statistic with another's threshold.
        of = ("detector", "model_version")
        self._thresholds = _gauge("drift_threshold", "The threshold of a drift detector.", of, registry)
        self._statistics = _gauge("drift_last_stat", "The latest statistic of a drift detector.", of, registry)
        self._active = _gauge("drift_active", "1 while a confirmed drift lasts.", of, registry)
        self._fill = Gauge(
            "drift_window_fill_ratio",
            "The filled part of the detectors' window, 0 to 1; they check nothing until it is full.",
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self._dependence = Gauge(
            "drift_dependence_factor",
            "What the thresholds are multiplied with, as rows resemble their neighbours; 1 for independent rows.",
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self._expected_alarms = Gauge(
            "drift_expected_alarms_per_row",
            "Signals of all drift detectors to expect per row while nothing changes; 0 without detectors.",
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self._distances = _gauge(
            "drift_feature_distance",
            "Distance of a feature from training; one window in a thousand is above 1 while nothing changes.",
            ("feature_name",),
            registry,
        )
        self._live_features: tuple[str, ...] = ()
        for detector in detectors:
            self._ratios.labels(detector)
            if not naming_detectors.get(detector):
                self._alarms.labels(detector, "")
                self._events.labels(detector, "")
        self._detectors = tuple(detectors)
        self._start_detectors(NO_MODEL)

    def record_rows(self, n_rows: int) -> None:
        """Count rows that arrived and were processed."""
        self._recorded.inc(n_rows)

    def record_watched_model(
        self, version: str | None, names: Sequence[str], run_times: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        """Start at 0 for another model.

        Parameters
        ----------
        version
            Its version; None if there is no model.
        names
            Its features; none if drift is not monitored.
        run_times
            By detector, the mean number of rows between two signals while nothing changes; infinite if there are none.
        """
        self._expected_alarms.set(sum(1 / rows for rows in run_times.values()))
        for name in self._live_features:
            self._distances.labels(name).set(0)
        for name in names:
            for detector in self._naming_detectors:
                self._alarms.labels(detector, name)
                self._events.labels(detector, name)
            self._distances.labels(name).set(0)
        self._live_features = tuple(names)
        self._start_detectors(self._version)  # what is no longer live
        self._start_detectors(version or NO_MODEL)

    def record_checks(self, ratios: Mapping[str, Sequence[float]]) -> None:
        """Observe statistics divided by thresholds, by detector."""
        for detector, values in ratios.items():
            self._ratios.labels(detector).observe_many(np.asarray(values, np.float64))

    def record_alarm(self, detector: str, feature: str, is_event: bool) -> None:
        """Count a drift signal, or a drift event, which is a lasting change."""
        (self._events if is_event else self._alarms).labels(detector, feature).inc()

    def record_detector(self, name: str, threshold: float, statistic: float | None, is_active: bool) -> None:
        """Record the state of a detector; the statistic is None until a window has been full."""
        self._thresholds.labels(name, self._version).set(threshold)
        self._statistics.labels(name, self._version).set(statistic or 0)
        self._active.labels(name, self._version).set(is_active)

    def record_window(self, fill: float, distances: Mapping[str, float], dependence: float) -> None:
        """Record how full the window is, 0 to 1, the distance of each feature from training, and the dependence."""
        self._fill.set(fill)
        self._dependence.set(dependence)
        for name, distance in distances.items():
            self._distances.labels(name).set(distance)

    def _start_detectors(self, version: str) -> None:
        """Set everything to 0 for a model, to which the following states belong."""
        self._version = version
        for detector in self._detectors:
            for gauge in (self._thresholds, self._statistics, self._active):
                gauge.labels(detector, version).set(0)
        self._fill.set(0)
        self._dependence.set(1)


def _gauge(name: str, description: str, labels: tuple[str, ...], registry: CollectorRegistry) -> Gauge:
    """Declare a gauge."""
    return Gauge(name, description, labels, registry=registry, multiprocess_mode="livemostrecent")
