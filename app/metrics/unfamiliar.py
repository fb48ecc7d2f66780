"""Metrics of values that are unlike those in training."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from app.model.bundle import Bundle
from app.model.scoring import ABOVE, BELOW, MISSING, NEW, Unfamiliar


class UnfamiliarMetrics:
    """Counts unfamiliar values by column and reason; every combination that can occur starts at 0."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._values = Counter(
            "unfamiliar_values_total",
            "Values outside of what training saw, by column and reason.",
            ("feature_name", "reason"),
            registry=registry,
        )
        self._training_rows = Gauge(
            "model_training_rows",
            "Rows that the live model was trained on; of n, new rows exceed a column's range in 2 of n + 1 cases.",
            registry=registry,
            multiprocess_mode="livemostrecent",
        )

    def follow(self, bundle: Bundle) -> None:
        """Start the series of a model that goes live."""
        features = bundle.features
        self._training_rows.set(bundle.manifest["training"]["rows"])
        for place, name in enumerate(features.names):
            levels = features.levels[place] if features.levels else None
            # What is neither true nor false is refused.
            reasons = [ABOVE, BELOW] if levels is None else [] if type(levels[0]) is bool else [NEW]
            for reason in reasons + ([MISSING] if features.may_be_missing(place) else []):
                self._values.labels(name, reason)

    def record(self, rows: Iterable[Unfamiliar]) -> None:
        """Count the unfamiliar values of rows."""
        for row in rows:
            for name, reason in row.items():
                self._values.labels(name, reason).inc()
