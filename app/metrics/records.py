"""The metrics of records and of labels that wait for them; the recorder alone writes these.

Why a database fails, in the few words that are counted. Nothing is imported here: a service may have no database.

The kinds of events in the audit trail.

The metrics of labels, written by whichever process takes one; see ``app.metrics.service``.

The metrics of the audit trail, which the recorder writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app.model.version_log import PROMOTION, ROLLBACK

LOCKED, FULL, UNREACHABLE, SCHEMA, OTHER = "locked", "full", "unreachable", "schema", "other"

REASONS = (LOCKED, FULL, UNREACHABLE, SCHEMA, OTHER)


REFUSED_BUNDLE, PURGE, FORGET = "refused bundle", "purge", "forget"

EVENTS = (PROMOTION, ROLLBACK, REFUSED_BUNDLE, PURGE, FORGET)


# From a batch into a file in the page cache to one that waited for a lock as long as it is waited for.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class RecordsMetrics:
    """What the recorder tells of the database.

    Parameters
    ----------
    registry
        Where the metrics are registered.
    reasons
        All for which a write can fail.
    is_enabled
        Whether anything is to be recorded.

    Examples
    --------
    >>> metrics = RecordsMetrics(registry := CollectorRegistry(), ["locked", "full"], is_enabled=True)
    >>> metrics.record_failure("full")
    >>> registry.get_sample_value("records_write_failures_total", {"reason": "full"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry, reasons: Sequence[str], is_enabled: bool) -> None:
        def gauge(name: str, meaning: str) -> Gauge:
            made = Gauge(name, meaning, registry=registry, multiprocess_mode="livemostrecent")
            made.set(0)
            return made

        def counter(name: str, meaning: str) -> Counter:
            return Counter(name, meaning, registry=registry)

        gauge("records_enabled", "1 if answers are to be recorded, 0 with RECORD_PREDICTIONS=off.").set(is_enabled)
        self._up = gauge("records_up", "1 if the last use of the database of records succeeded.")
        self._failures = Counter(
            "records_write_failures_total",
            "Attempts to write records that failed; they are repeated until they succeed.",
            ("reason",),
            registry=registry,
        )
        for reason in reasons:
            self._failures.labels(reason)
        self._waiting = gauge("records_waiting_rows", "Rows in the recorder's memory that are not yet committed.")
        self._given_up = counter(
            "records_given_up_rows_total", "Rows that are not recorded: memory was full, or they cannot be stored."
        )
        self._duration = Histogram(
            "records_write_duration_seconds", "Time to commit a batch of rows.", registry=registry, buckets=_SECONDS
        )
        self._kept = counter("records_kept_rows_total", "Rows that were written into the database.")
        self._purged = counter("records_purged_rows_total", "Rows that were removed because of their age.")
        self._bytes = gauge("records_database_bytes", "Size of the database of records.")
        self._oldest = gauge("records_oldest_timestamp_seconds", "When the oldest record was answered; 0 if none.")
        self._waiting_labels = gauge("feedback_waiting_labels", "Labels that wait for the record they are about.")
        self._last_label = gauge("feedback_last_timestamp_seconds", "When the last label was given; 0 if never.")

    def record_success(self) -> None:
        """Note that the database works."""
        self._up.set(1)

    def record_failure(self, reason: str) -> None:
        """Count a failed attempt; the database does not work."""
        self._up.set(0)
        self._failures.labels(reason).inc()

    def time_batch(self) -> AbstractContextManager[object]:
        """Measure a batch, from its first statement to its commit; one that fails is measured too."""
        return self._duration.time()

    def record_kept(self, n_rows: int) -> None:
        """Count rows that were committed."""
        self._kept.inc(n_rows)

    def record_dropped_rows(self, n_rows: int) -> None:
        """Count rows that will never be recorded."""
        self._given_up.inc(n_rows)

    def record_purged(self, n_rows: int) -> None:
        """Count rows that were removed because of their age."""
        self._purged.inc(n_rows)

    def record_pending_rows(self, n_rows: int) -> None:
        """Note how many rows are not yet committed."""
        self._waiting.set(n_rows)

    def record_contents(self, n_bytes: int, oldest: float, last_label: float) -> None:
        """Note the size of the database, and the times of its oldest record and its last label; 0 for none."""
        self._bytes.set(n_bytes)
        self._oldest.set(oldest)
        self._last_label.set(last_label)

    def record_pending_labels(self, n_labels: int) -> None:
        """Note how many labels wait."""
        self._waiting_labels.set(n_labels)


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


class EventMetrics:
    """What the table of events says, told as often as it is looked at.

    Parameters
    ----------
    registry
        Where the metrics are registered; every kind of event is there from the start.

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
        self._moments = Gauge(
            "records_event_timestamp_seconds",
            "When the last event of this kind was, in seconds since 1970; 0 if there was none.",
            ("event",),
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        for event in EVENTS:
            self._events.labels(event)
            self._moments.labels(event).set(0)
        self._numbers: dict[str, int] | None = None

    def record_trail(self, trail: Mapping[str, tuple[int, float]]) -> None:
        """Note what is in the table: for each kind of event how many there are, and when the last one was.

        The first time tells what was there before; whatever is added later is counted.
        """
        numbers = {event: trail.get(event, (0, 0.0))[0] for event in EVENTS}
        for event in EVENTS:
            if self._numbers is not None:
                self._events.labels(event).inc(max(numbers[event] - self._numbers[event], 0))
            if event in trail:
                self._moments.labels(event).set(trail[event][1])
        self._numbers = numbers
