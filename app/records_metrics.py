"""The metrics of records and of labels that wait for them; the recorder alone writes these."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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

    def record_given_up(self, n_rows: int) -> None:
        """Count rows that will never be recorded."""
        self._given_up.inc(n_rows)

    def record_purged(self, n_rows: int) -> None:
        """Count rows that were removed because of their age."""
        self._purged.inc(n_rows)

    def record_waiting_rows(self, n_rows: int) -> None:
        """Note how many rows are not yet committed."""
        self._waiting.set(n_rows)

    def record_contents(self, n_bytes: int, oldest: float, last_label: float) -> None:
        """Note the size of the database, and the times of its oldest record and its last label; 0 for none."""
        self._bytes.set(n_bytes)
        self._oldest.set(oldest)
        self._last_label.set(last_label)

    def record_waiting_labels(self, n_labels: int) -> None:
        """Note how many labels wait."""
        self._waiting_labels.set(n_labels)
