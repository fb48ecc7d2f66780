"""What takes the place of records in a service that keeps none."""

from __future__ import annotations

from app.metrics.recorder import RecorderMetrics
from app.model.bundle import Bundle
from app.recorder.protocol import PublishedRows
from app.recorder.server import RowTaker


class RecordKeeper(RowTaker):
    """Something that keeps records, or not."""

    def follow(self, bundle: Bundle) -> None:
        """Learn what the rows of a model consist of; may be called by another thread."""


class NoRecords(RecordKeeper):
    """Keeps nothing. A row is dealt with once all takers before this one have seen it, and so it is counted.

    Parameters
    ----------
    metrics
        Count rows.
    """

    def __init__(self, metrics: RecorderMetrics) -> None:
        self._metrics = metrics

    def take(self, handed: PublishedRows) -> None:
        """Count rows."""
        self._metrics.record_rows(len(handed.scored.scores))

    def tick(self) -> None:
        """Have nothing to do."""

    def finish(self) -> None:
        """Have nothing left to do."""
