"""The metrics of recorded answers, labels and the audit trail.

Any worker or the recorder counts labels; the recorder alone writes all other metrics of this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app.model.version_log import PROMOTION, ROLLBACK, THRESHOLD

# The reasons for which a write to the database can fail.
LOCKED, FULL, UNREACHABLE, SCHEMA, OTHER = "locked", "full", "unreachable", "schema", "other"

REASONS = (LOCKED, FULL, UNREACHABLE, SCHEMA, OTHER)

# The kinds of events in the audit trail that are about models and records.
REFUSED_BUNDLE, PURGE, FORGET = "refused bundle", "purge", "forget"

EVENTS = (PROMOTION, ROLLBACK, THRESHOLD, REFUSED_BUNDLE, PURGE, FORGET)

# The reasons for which labels are refused.
UNKNOWN, MALFORMED, UNAUTHORIZED, UNAVAILABLE = "unknown", "malformed", "unauthorized", "unavailable"
REFUSALS = (UNKNOWN, MALFORMED, UNAUTHORIZED, UNAVAILABLE)

_CLASSES = {1: "inlier", -1: "outlier"}

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0

# Labels come from people at a screen within minutes, and from chargebacks months later.
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

# From a batch written to a file in the page cache to one that waited for a lock until the timeout.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class RecordsMetrics:
    """The metrics of the database of records.

    Parameters
    ----------
    registry
        Where the metrics are registered.
    reasons
        The reasons for which a write can fail.
    is_enabled
        Whether answers are recorded.

    Examples
    --------
    >>> metrics = RecordsMetrics(registry := CollectorRegistry(), ["locked", "full"], is_enabled=True)
    >>> metrics.record_failure("full")
    >>> registry.get_sample_value("records_write_failures_total", {"reason": "full"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry, reasons: Sequence[str], is_enabled: bool) -> None:
        def gauge(name: str, description: str) -> Gauge:
            declared = Gauge(name, description, registry=registry, multiprocess_mode="livemostrecent")
            declared.set(0)
            return declared

        def counter(name: str, description: str) -> Counter:
            return Counter(name, description, registry=registry)

        gauge("records_enabled", "1 if answers are recorded, 0 with RECORD_PREDICTIONS=off.").set(is_enabled)
        self._up = gauge("records_up", "1 if the last use of the database of records succeeded.")
        self._failures = Counter(
            "records_write_failures_total",
            "Failed attempts to write records; they are repeated until they succeed.",
            ("reason",),
            registry=registry,
        )
        for reason in reasons:
            self._failures.labels(reason)
        self._pending_rows = gauge("records_waiting_rows", "Rows in the recorder's memory that are not yet committed.")
        self._dropped = counter(
            "records_given_up_rows_total", "Rows that were dropped: memory was full, or they cannot be stored."
        )
        self._duration = Histogram(
            "records_write_duration_seconds", "Time to commit a batch of rows.", registry=registry, buckets=_SECONDS
        )
        self._stored = counter("records_kept_rows_total", "Rows that were written into the database.")
        self._purged = counter("records_purged_rows_total", "Rows that were purged because of their age.")
        self._bytes = gauge("records_database_bytes", "Size of the database of records.")
        self._oldest = gauge("records_oldest_timestamp_seconds", "When the oldest record was answered; 0 if none.")
        self._pending_labels = gauge("feedback_waiting_labels", "Pending labels, whose rows are not recorded yet.")
        self._last_label = gauge("feedback_last_timestamp_seconds", "When the last label was submitted; 0 if never.")

    def record_success(self) -> None:
        """Record that the database works."""
        self._up.set(1)

    def record_failure(self, reason: str) -> None:
        """Count a failed attempt, and record that the database does not work."""
        self._up.set(0)
        self._failures.labels(reason).inc()

    def time_batch(self) -> AbstractContextManager[object]:
        """Return a timer for a batch, from its first statement to its commit; failed batches count, too."""
        return self._duration.time()

    def record_kept(self, n_rows: int) -> None:
        """Count rows that were committed."""
        self._stored.inc(n_rows)

    def record_dropped_rows(self, n_rows: int) -> None:
        """Count rows that will never be recorded."""
        self._dropped.inc(n_rows)

    def record_purged(self, n_rows: int) -> None:
        """Count rows that were purged because of their age."""
        self._purged.inc(n_rows)

    def record_pending_rows(self, n_rows: int) -> None:
        """Record how many rows are not yet committed."""
        self._pending_rows.set(n_rows)

    def record_contents(self, n_bytes: int, oldest: float, last_label: float) -> None:
        """Record the size of the database, and the times of its oldest record and its last label; 0 for none."""
        self._bytes.set(n_bytes)
        self._oldest.set(oldest)
        self._last_label.set(last_label)

    def record_pending_labels(self, n_labels: int) -> None:
        """Record the number of pending labels."""
        self._pending_labels.set(n_labels)


class FeedbackMetrics:
    """Counts submitted labels.

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
            "True labels that were accepted, by predicted label and true label; a changed label counts again.",
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
            "Time from an answer to its true label, in seconds.",
            buckets=AGES,
            registry=registry,
        )
        refused = Counter(
            "feedback_refused_total",
            "True labels that were refused; a request that cannot be read counts as one label.",
            ("reason",),
            registry=registry,
        )
        self._refused = {reason: refused.labels(reason) for reason in REFUSALS}

    def record_label(self, predicted: int, label: int, age_seconds: float) -> None:
        """Count a label that was accepted.

        Parameters
        ----------
        predicted, label
            The predicted label and the true label: 1 inlier, -1 outlier.
        age_seconds
            From the answer to the label.
        """
        self._labels[predicted, label].inc()
        # The clocks of two machines may differ a little.
        self._ages.observe(max(0.0, age_seconds))

    def record_refused(self, reason: str, n: int = 1) -> None:
        """Count labels that were refused for one of ``REFUSALS``."""
        self._refused[reason].inc(n)


class EventMetrics:
    """The metrics of the audit trail, updated whenever its table is read.

    Parameters
    ----------
    registry
        Where the metrics are registered; every kind of event has a series from the start.

    Examples
    --------
    >>> metrics = EventMetrics(registry := CollectorRegistry())
    >>> metrics.record_trail({"purge": (4, 1_700_000_000.0)})
    >>> metrics.record_trail({"purge": (5, 1_700_000_060.0)})
    >>> registry.get_sample_value("records_events_total", {"event": "purge"})
    1.0
    >>> registry.get_sample_value("records_event_timestamp_seconds", {"event": "purge"})
    1700000060.0
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "records_events_total",
            "Events that were added to the audit trail since the service started.",
            ("event",),
            registry=registry,
        )
        self._timestamps = Gauge(
            "records_event_timestamp_seconds",
            "Time of the last event of this kind, in seconds since 1970; 0 if there was none.",
            ("event",),
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        for event in EVENTS:
            self._events.labels(event)
            self._timestamps.labels(event).set(0)
        self._counts: dict[str, int] | None = None

    def record_trail(self, trail: Mapping[str, tuple[int, float]]) -> None:
        """Record the contents of the table: for each kind of event, the number of events and the time of the last.

        The first call sets the baseline; events that are added later are counted.
        """
        counts = {event: trail.get(event, (0, 0.0))[0] for event in EVENTS}
        for event in EVENTS:
            if self._counts is not None:
                self._events.labels(event).inc(max(counts[event] - self._counts[event], 0))
            if event in trail:
                self._timestamps.labels(event).set(trail[event][1])
        self._counts = counts
