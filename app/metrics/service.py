"""The metrics of the web process, each declared once; the rest of the code calls the ``record_*`` methods.

Every possible label value exists from the start with 0, because a series that starts at 1 hides its first event from
``rate`` and ``increase``. Every gauge declares how the workers' values are combined, so that no series ever carries a
process id.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app.metrics.access import AccessMetrics
from app.metrics.histogram import VectorHistogram
from app.metrics.records import FeedbackMetrics
from app.metrics.unfamiliar import UnfamiliarMetrics
from app.server.loop_answers import CLOSED_REASONS

# Predictions take well under a millisecond; alerts use the limits 0.05 and 1.0.
PREDICTION_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

# Requests also wait for a worker, and scrapes are requests, too.
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# Scores lie in [-1, 0]; twenty equal steps separate -0.45, near most training rows, from -0.5, the usual threshold.
SCORES = tuple(step / 20 for step in range(-20, 1))

# Ten equal steps; an alert fires when the mean is under 0.75.
CONFIDENCES = tuple(step / 10 for step in range(1, 11))

# The value of ``model_version`` for requests that no model could answer.
NO_MODEL = "none"

SUCCESS, INVALID, ERROR = "success", "invalid", "error"

SENT, DROPPED, RECORDED = "sent", "dropped", "recorded"


def declare_row_counter(registry: CollectorRegistry) -> Counter:
    """Declare the counter of scored rows on their way to the recorder, in a worker or in the recorder."""
    rows = Counter(
        "recorder_rows_total",
        "Rows that workers sent to the recorder or had to drop, and rows that it recorded; lost = sent - recorded.",
        ("result",),
        registry=registry,
    )
    for result in (SENT, DROPPED, RECORDED):
        rows.labels(result)
    return rows


class ServiceMetrics:
    """The metrics of one service; with several workers, each writes its own part of them.

    Parameters
    ----------
    registry
        Where the metrics are registered. Two services in one process need two registries.

    Examples
    --------
    >>> metrics = ServiceMetrics(CollectorRegistry())
    >>> metrics.record_scored_rows(np.array([-0.4, -0.8]), np.array([1, -1]), np.array([0.9, 1]))
    >>> metrics.registry.get_sample_value("predicted_class_total", {"class_name": "outlier"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._predictions = Counter(
            "model_prediction_requests_total",
            "Requests to the prediction routes; invalid is the caller's fault, error is ours.",
            ("model_version", "status"),
            registry=registry,
        )
        self._prediction_seconds = Histogram(
            "model_prediction_duration_seconds",
            "Time in the prediction handler, in seconds.",
            ("model_version",),
            buckets=PREDICTION_SECONDS,
            registry=registry,
        )
        self._model_information = Counter(
            "model_information_requests_total", "Requests to /model_information.", registry=registry
        )
        self._labels = VectorHistogram(
            "predictions_output", "Predicted labels: 1 inlier, -1 outlier.", buckets=(-1, 1), registry=registry
        )
        self._scores = VectorHistogram(
            "predictions_scores",
            "Anomaly scores of every scored row, in [-1, 0]: the lower, the more abnormal. Its sum falls: use "
            "prediction_score_magnitude_total for means.",
            buckets=SCORES,
            registry=registry,
        )
        self._score_magnitude = Counter(
            "prediction_score_magnitude_total",
            "Sum of -score over every scored row; mean score = -increase(this) / increase(predictions_scores_count).",
            registry=registry,
        )
        self._confidences = VectorHistogram(
            "prediction_confidence",
            "Probability that a threshold from other training rows gives the same label, of every scored row, 0 to 1.",
            buckets=CONFIDENCES,
            registry=registry,
        )
        classes = Counter(
            "predicted_class_total", "Scored rows by predicted label.", ("class_name",), registry=registry
        )
        self._inliers, self._outliers = classes.labels("inlier"), classes.labels("outlier")
        published = declare_row_counter(registry)
        self._sent, self._dropped = published.labels(SENT), published.labels(DROPPED)
        self.feedback = FeedbackMetrics(registry)
        self.access = AccessMetrics(registry)
        self.unfamiliar = UnfamiliarMetrics(registry)
        self._model_info = _gauge(
            "model_info",
            "1 for the model that is live.",
            "livemax",
            registry,
            ("model_name", "model_version", "algorithm"),
        )
        self._model_ready = _gauge("model_ready", "1 when every worker has a verified model.", "livemin", registry)
        self._model_loaded = _gauge(
            "model_loaded_timestamp_seconds", "When the live model was loaded.", "livemostrecent", registry
        )
        self._model_trained = _gauge(
            "model_trained_timestamp_seconds", "When the live model was trained.", "livemostrecent", registry
        )
        self._training_outlier_ratio = _gauge(
            "model_training_outlier_ratio",
            "Share of the training rows that the live model labels outliers, 0 to 1.",
            "livemostrecent",
            registry,
        )
        swaps = Counter(
            "model_swaps_total", "Model bundles that a worker swapped in or refused.", ("result",), registry=registry
        )
        self._swapped, self._refused = swaps.labels("swapped"), swaps.labels("refused")
        self._memory = _gauge(
            "app_memory_usage_bytes",
            "Memory of all processes of the service together.",
            "livemostrecent",
            registry,
        )
        self._memory_limit = _gauge(
            "app_memory_limit_bytes", "Memory that the service may use.", "livemostrecent", registry
        )
        self._cpu = _gauge(
            "app_cpu_usage_percent",
            "CPU time of all processes of the service together; 100 is one core.",
            "livemostrecent",
            registry,
        )
        self._monthly_cost = _gauge(
            "replica_monthly_cost",
            "What the replica costs a month; 0: unknown.",
            "livemostrecent",
            registry,
            ("currency",),
        )
        self._started = _gauge(
            "app_started_timestamp_seconds",
            "When the first process of the service was started.",
            "livemostrecent",
            registry,
        )
        self._in_flight = _gauge(
            "app_requests_in_flight", "Requests being answered, all workers together.", "livesum", registry
        )
        self._workers = _gauge("app_workers", "Live workers.", "livesum", registry)
        self._worker_restarts = Counter(
            "app_worker_restarts_total", "Workers that replaced another one.", registry=registry
        )
        self._scrape_seconds = _gauge(
            "metrics_scrape_duration_seconds",
            "Duration of the previous scrape.",
            "livemostrecent",
            registry,
        )
        self._closed_connections = Counter(
            "http_connections_closed_total",
            "Connections that were closed before their request was answered, by reason.",
            ("reason",),
            registry=registry,
        )
        for reason in CLOSED_REASONS:
            self._closed_connections.labels(reason)
        self._no_model_errors = self._predictions.labels(NO_MODEL, ERROR)
        self._model_ready.set(0)
        self._workers.set(1)

    def record_prediction_request(self, version: str, status: str, seconds: float) -> None:
        """Count a request to a prediction route (``status``: success, invalid, error) and observe its duration."""
        if version == NO_MODEL:
            self._no_model_errors.inc()
            return
        self._predictions.labels(version, status).inc()
        self._prediction_seconds.labels(version).observe(seconds)

    def record_scored_rows(
        self, scores: NDArray[np.float64], labels: NDArray[np.int64], confidences: NDArray[np.float64]
    ) -> None:
        """Count scored rows: scores, predicted labels and their confidences, each of shape ``(n_rows,)``."""
        self._scores.observe_many(scores)
        self._labels.observe_many(labels.astype(np.float64))
        # Rows with unfamiliar values have none.
        self._confidences.observe_many(confidences[~np.isnan(confidences)])
        self._score_magnitude.inc(-float(scores.sum()))
        outliers = int((labels < 0).sum())
        if outliers:
            self._outliers.inc(outliers)
        if outliers < len(labels):
            self._inliers.inc(len(labels) - outliers)

    def record_scored_row(self, score: float, label: int, confidence: float) -> None:
        """Count one scored row; the same as ``record_scored_rows``, several times faster."""
        self._scores.observe(score)
        self._labels.observe(label)
        if confidence == confidence:  # NaN: a row with unfamiliar values has none
            self._confidences.observe(confidence)
        self._score_magnitude.inc(-score)
        (self._outliers if label < 0 else self._inliers).inc()

    def record_published_rows(self, sent: int, dropped: int) -> None:
        """Count rows that were sent to the recorder, and rows that were dropped instead."""
        if sent:
            self._sent.inc(sent)
        if dropped:
            self._dropped.inc(dropped)

    def record_model_information_request(self) -> None:
        """Count one request to ``/model_information``."""
        self._model_information.inc()

    def record_live_model(
        self, name: str, version: str, loaded_at: float, trained_at: float, outlier_ratio: float
    ) -> None:
        """Record which model is live from now on; times in seconds since 1970, ratio in [0, 1]."""
        for status in (SUCCESS, INVALID, ERROR):
            self._predictions.labels(version, status)
        self._prediction_seconds.labels(version)
        self._model_info.labels(name, version, "isolation_forest").set(1)
        self._model_loaded.set(loaded_at)
        self._model_trained.set(trained_at)
        self._training_outlier_ratio.set(outlier_ratio)
        self._model_ready.set(1)

    def record_retired_model(self, name: str, version: str) -> None:
        """Record that a model is no longer live. Its series stays at 0: with several processes, none can be removed."""
        self._model_info.labels(name, version, "isolation_forest").set(0)

    def record_swap(self) -> None:
        """Count a bundle that replaced another one."""
        self._swapped.inc()

    def record_refused_bundle(self) -> None:
        """Count a bundle that failed verification."""
        self._refused.inc()

    def record_request_started(self) -> None:
        """Count one more request in flight."""
        self._in_flight.inc()

    def record_request_ended(self) -> None:
        """Count one request less in flight."""
        self._in_flight.dec()

    def record_closed_connection(self, reason: str) -> None:
        """Count a connection that was closed before its request was answered, by one of ``CLOSED_REASONS``."""
        self._closed_connections.labels(reason).inc()

    def record_start(self, started_at: float) -> None:
        """Record when the first process of the service was started, in seconds since 1970."""
        self._started.set(started_at)

    def record_usage(self, memory_bytes: float, memory_limit_bytes: float, cpu_percent: float) -> None:
        """Record what all processes of the service use together; ``cpu_percent`` 100 is one core."""
        self._memory.set(memory_bytes)
        self._memory_limit.set(memory_limit_bytes)
        self._cpu.set(cpu_percent)

    def record_monthly_cost(self, cost: float, currency: str) -> None:
        """Record what this replica costs a month, 0 if that is unknown."""
        self._monthly_cost.labels(currency).set(cost)

    def record_worker_restarts(self, restarts: int) -> None:
        """Count workers that replaced another one."""
        self._worker_restarts.inc(restarts)

    def record_scrape(self, seconds: float) -> None:
        """Record the duration of a scrape."""
        self._scrape_seconds.set(seconds)


def _gauge(name: str, description: str, mode: str, registry: CollectorRegistry, labels: tuple[str, ...] = ()) -> Gauge:
    """Declare a gauge; ``mode`` defines how the values of several workers are combined."""
    return Gauge(name, description, labels, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]
