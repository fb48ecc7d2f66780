"""The metrics of the answers' quality; the recorder writes them.

There is one recorder, so that of its gauges the most recent value counts. What is not known is NaN: a dashboard shows
nothing for it, and no alert that compares it with a target fires.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge

from app.quality.estimate import Estimate, OutlierRatio

# In place of the empty name, which Prometheus takes for no label at all.
NO_SEGMENT = "none"

ALARM, AUDITED = "alarm", "audited"

_UNKNOWN = math.nan


class QualityMetrics:
    """What labels tell of the live model's answers.

    Parameters
    ----------
    registry
        Where the metrics are registered.
    figures
        The names of the figures.
    model_max_age_seconds
        The age at which a model is due for retraining.

    Examples
    --------
    >>> metrics = QualityMetrics(registry := CollectorRegistry(), ["precision"], 90 * 86400)
    >>> metrics.record_figures({"precision": Estimate(0.9, 0.8, 0.95, n_labels=70)})
    >>> registry.get_sample_value("model_quality_low", {"metric": "precision"})
    0.8
    """

    def __init__(self, registry: CollectorRegistry, figures: Iterable[str], model_max_age_seconds: float) -> None:
        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(name, meaning, labels, registry=registry, multiprocess_mode="livemostrecent")

        window = "in QUALITY_WINDOW_DAYS, of the live model"
        self._values = gauge("model_quality", f"How right answers were {window}; NaN without enough labels.", "metric")
        self._lows = gauge("model_quality_low", "Lower end of its 95 % interval.", "metric")
        self._highs = gauge("model_quality_high", "Upper end of its 95 % interval.", "metric")
        self._labels = gauge("model_quality_labels", f"Labels that the quality stands on, {window}.", "kind")
        self._ratios = gauge("segment_outlier_ratio", f"Outliers among a segment's answers {window}.", "segment")
        self._ratio_lows = gauge("segment_outlier_ratio_low", "Lower end of its 95 % interval.", "segment")
        self._ratio_highs = gauge("segment_outlier_ratio_high", "Upper end of its 95 % interval.", "segment")
        self._segment_rows = gauge("segment_rows", f"A segment's answers {window}.", "segment")
        self._waiting_audits = gauge("audit_waiting_rows", "Rows drawn for GET /audit/next that have no label yet.")
        self._max_age = gauge("model_max_age_seconds", "The age at which a model is due for retraining.")
        self._live_segments: set[str] = set()
        self._figures = tuple(figures)
        self._max_age.set(model_max_age_seconds)
        self.forget()

    def record_figures(self, figures: Mapping[str, Estimate]) -> None:
        """Note the figures, by name; all of them each time."""
        for name in self._figures:
            estimate = figures[name]
            for gauge, value in (
                (self._values, estimate.value),
                (self._lows, estimate.low),
                (self._highs, estimate.high),
            ):
                gauge.labels(name).set(_UNKNOWN if value is None else value)

    def record_labels(self, n_alarms: int, n_audited: int) -> None:
        """Note how many labelled alarms and audited inliers the figures stand on."""
        self._labels.labels(ALARM).set(n_alarms)
        self._labels.labels(AUDITED).set(n_audited)

    def record_segments(self, segments: Mapping[str, OutlierRatio]) -> None:
        """Note each segment's rows and share of outliers; a segment that had answers before and has none is unknown.

        Names come from the table of segments, which holds no more than ``MAX_SEGMENTS``.
        """
        for name, ratio in segments.items():
            low, high = ratio.interval
            self._segment_rows.labels(name).set(ratio.n_rows)
            for gauge, value in ((self._ratios, ratio.value), (self._ratio_lows, low), (self._ratio_highs, high)):
                gauge.labels(name).set(_UNKNOWN if value is None else value)
        self._forget_segments(self._live_segments - segments.keys())
        self._live_segments = set(segments)

    def record_pending_audits(self, n_rows: int) -> None:
        """Note how many drawn rows wait for a label."""
        self._waiting_audits.set(n_rows)

    def forget(self) -> None:
        """Nothing is known any longer, or not yet."""
        self._waiting_audits.set(_UNKNOWN)
        self.forget_figures()

    def forget_figures(self) -> None:
        """Nothing is known of the live model's answers, as there is none."""
        for name in self._figures:
            for gauge in (self._values, self._lows, self._highs):
                gauge.labels(name).set(_UNKNOWN)
        for kind in (ALARM, AUDITED):
            self._labels.labels(kind).set(_UNKNOWN)
        self._forget_segments(self._live_segments)
        self._live_segments = set()

    def _forget_segments(self, names: Iterable[str]) -> None:
        """Nothing is known of some segments: with several processes, a series cannot be taken away."""
        for name in names:
            for gauge in (self._ratios, self._ratio_lows, self._ratio_highs, self._segment_rows):
                gauge.labels(name).set(_UNKNOWN)
