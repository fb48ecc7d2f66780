"""The metrics of the audit trail, which the recorder writes."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from app.records.event_kinds import EVENTS


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
