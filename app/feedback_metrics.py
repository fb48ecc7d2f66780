"""The metrics of labels, written by whichever process takes one; see ``app.metrics``."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0

# From a person at a screen to a chargeback, which comes months later.
AGES = (
    _MINUTE,
    10 * _MINUTE,
    _HOUR,
    6 * _HOUR,
    _DAY,
    3 * _DAY,
    7 * _DAY,
    14 * _DAY,
    30 * _DAY,
    60 * _DAY,
    90 * _DAY,
)

UNKNOWN, MALFORMED, UNAUTHORIZED, UNAVAILABLE = "unknown", "malformed", "unauthorized", "unavailable"
REFUSALS = (UNKNOWN, MALFORMED, UNAUTHORIZED, UNAVAILABLE)

_CLASSES = {1: "inlier", -1: "outlier"}


class FeedbackMetrics:
    """What is counted of labels that come back.

    Parameters
    ----------
    registry
        Where the metrics are registered.

    Examples
    --------
    >>> metrics = FeedbackMetrics(registry := CollectorRegistry())
    >>> metrics.record_label(predicted=-1, label=1, age_seconds=3600.0)
    >>> registry.get_sample_value("feedback_total", {"predicted": "outlier", "label": "inlier"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = Counter(
            "feedback_total",
            "Labels that were taken, by what the model said and what the label says; a changed label counts again.",
            ("predicted", "label"),
            registry=registry,
        )
        self._labels = {
            (predicted, label): labels.labels(_CLASSES[predicted], _CLASSES[label])
            for predicted in _CLASSES
            for label in _CLASSES
        }
        self._ages = Histogram(
            "feedback_age_seconds",
            "Time from an answer to its label, in seconds.",
            buckets=AGES,
            registry=registry,
        )
        refused = Counter(
            "feedback_refused_total",
            "Labels that were refused; a request that cannot be read counts as one label.",
            ("reason",),
            registry=registry,
        )
        self._refused = {reason: refused.labels(reason) for reason in REFUSALS}

    def record_label(self, predicted: int, label: int, age_seconds: float) -> None:
        """Count a label that was taken.

        Parameters
        ----------
        predicted, label
            What the model said and what the label says: 1 inlier, -1 outlier.
        age_seconds
            From the answer to the label.
        """
        self._labels[predicted, label].inc()
        # Two clocks may differ a little.
        self._ages.observe(max(0.0, age_seconds))

    def record_refused(self, reason: str, n: int = 1) -> None:
        """Count labels that were refused, for one of ``REFUSALS``."""
        self._refused[reason].inc(n)
