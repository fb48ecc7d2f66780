"""Starts the audit trail of models, unless records are off."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry

from app.metrics.records import EventMetrics
from app.settings import Settings


class EventKeeper(Protocol):
    """Is told what happens to models; takes a few microseconds and never fails."""

    def promoted(self, version: str) -> None:
        """Take note that a version is live."""

    def refused(self, reason: str) -> None:
        """Take note that the version which the link leads to was refused."""

    def close(self) -> None:
        """End."""


class NoEvents:
    """Keeps nothing, where there are no records."""

    def promoted(self, version: str) -> None:
        """Forget it."""

    def refused(self, reason: str) -> None:
        """Forget it."""

    def close(self) -> None:
        """There is nothing to end."""


def start_event_log(settings: Settings, registry: CollectorRegistry) -> EventKeeper:
    """Start to write what happens to models into the database, unless records are off.

    Parameters
    ----------
    settings
        Where models and records are.
    registry
        Where the metrics are registered, records or not.
    """
    metrics = EventMetrics(registry)
    if not settings.record_predictions:
        return NoEvents()
    # Only now: without records, nobody needs SQLAlchemy and its 20 MB.
    from app.recorder.events import EventLog

    log = EventLog(Path(settings.model_dir), settings.database_url, metrics)
    log.start()
    return log
