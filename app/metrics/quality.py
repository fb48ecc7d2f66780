"""The metrics of the answers' quality; the recorder writes them.

There is one recorder, so the most recent value of each gauge counts. Unknown values are NaN: a dashboard shows nothing
for them, and no alert that compares them with a target fires.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge

from app.metrics.service import NO_MODEL
from app.quality.estimate import Estimate, OutlierRatio

# In place of the empty name: to Prometheus, an empty label is no label.
NO_SEGMENT = "none"

ALARM, AUDITED = "alarm", "audited"

_UNKNOWN = math.nan


class QualityMetrics:
    """Quality of the live model's answers, as estimated from labels.

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
    >>> metrics.record_model("v1")
    >>> metrics.record_figures({"precision": Estimate(0.9, 0.8, 0.95, n_labels=70)})
    >>> registry.get_sample_value("model_quality_low", {"metric": "precision", "model_version": "v1"})
    0.8
    """

    def __init__(self, registry: CollectorRegistry, figures: Iterable[str], model_max_age_seconds: float) -> None:
        def gauge(name: str, description: str, *labels: str) -> Gauge:
            return Gauge(name, description, labels, registry=registry, multiprocess_mode="livemostrecent")

        window = "in QUALITY_WINDOW_DAYS, of the live model"
        # By model: a rule's window over a swap must not mix one model's figures with another's.
        of_figure, of_segment = ("metric", "model_version"), ("segment", "model_version")
        self._values = gauge(
            "model_quality", f"Quality of the answers {window}; NaN without enough labels.", *of_figure
        )
        self._lows = gauge("model_quality_low", "Lower end of its 95 % interval.", *of_figure)
        self._highs = gauge("model_quality_high", "Upper end of its 95 % interval.", *of_figure)
        self._labels = gauge(
            "model_quality_labels", f"Labels that the quality is estimated from, {window}.", "kind", "model_version"
        )
        self._ratios = gauge(
            "segment_outlier_ratio", f"Share of outliers among a segment's answers {window}.", *of_segment
        )
        self._ratio_lows = gauge("segment_outlier_ratio_low", "Lower end of its 95 % interval.", *of_segment)
        self._ratio_highs = gauge("segment_outlier_ratio_high", "Upper end of its 95 % interval.", *of_segment)
        self._segment_rows = gauge("segment_rows", f"A segment's answers {window}.", *of_segment)
        self._pending_audits = gauge("audit_waiting_rows", "Rows drawn for POST /audit/next that have no label yet.")
        self._max_age = gauge("model_max_age_seconds", "The age at which a model is due for retraining.")
        self._live_segments: set[str] = set()
        self._figures = tuple(figures)
        self._max_age.set(model_max_age_seconds)
        self._version = NO_MODEL
        self.forget()

    def record_model(self, version: str) -> None:
        """Record which model the following figures are of; those of another one become unknown."""
        if version != self._version:
            self.forget_figures()
            self._version = version
            self.forget_figures()  # So that every figure of the new model has its series.

    def record_figures(self, figures: Mapping[str, Estimate]) -> None:
        """Record all figures, by name."""
        for name in self._figures:
            estimate = figures[name]
            for gauge, value in (
                (self._values, estimate.value),
                (self._lows, estimate.low),
                (self._highs, estimate.high),
            ):
                gauge.labels(name, self._version).set(_UNKNOWN if value is None else value)

    def record_labels(self, n_alarms: int, n_audited: int) -> None:
        """Record the number of labelled alarms and audited inliers that the figures are estimated from."""
        self._labels.labels(ALARM, self._version).set(n_alarms)
        self._labels.labels(AUDITED, self._version).set(n_audited)

    def record_segments(self, segments: Mapping[str, OutlierRatio]) -> None:
        """Record each segment's rows and share of outliers; segments that no longer have answers become unknown.

        Names come from the table of segments, which holds no more than ``MAX_SEGMENTS``.
        """
        for name, ratio in segments.items():
            low, high = ratio.interval
            self._segment_rows.labels(name, self._version).set(ratio.n_rows)
            for gauge, value in ((self._ratios, ratio.value), (self._ratio_lows, low), (self._ratio_highs, high)):
                gauge.labels(name, self._version).set(_UNKNOWN if value is None else value)
        self._forget_segments(self._live_segments - segments.keys())
        self._live_segments = set(segments)

    def record_pending_audits(self, n_rows: int) -> None:
        """Record the number of drawn rows without a label."""
        self._pending_audits.set(n_rows)

    def forget(self) -> None:
        """Set everything to unknown."""
        self._pending_audits.set(_UNKNOWN)
        self.forget_figures()

    def forget_figures(self) -> None:
        """Set the quality of the live model's answers to unknown, because there is no model."""
        for name in self._figures:
            for gauge in (self._values, self._lows, self._highs):
                gauge.labels(name, self._version).set(_UNKNOWN)
        for kind in (ALARM, AUDITED):
            self._labels.labels(kind, self._version).set(_UNKNOWN)
        self._forget_segments(self._live_segments)
        self._live_segments = set()

    def _forget_segments(self, names: Iterable[str]) -> None:
        """Set segments to unknown: with several processes, a series cannot be removed."""
        for name in names:
            for gauge in (self._ratios, self._ratio_lows, self._ratio_highs, self._segment_rows):
                gauge.labels(name, self._version).set(_UNKNOWN)
