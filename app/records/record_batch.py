"""What is written in one transaction: recorded rows, drawn rows, and the counts of all rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from app.records.insert_rows import add_to_counts, insert_rows
from app.records.pace import Pace
from app.records.tables import AUDITS, HOURLY_COUNTS, PREDICTIONS


@dataclass
class RecordBatch:
    """Rows of the tables, as mappings from column to value.

    Parameters
    ----------
    predictions, audits
        Of the tables of these names.
    counts
        By hour, model version and segment: all rows, and the outliers among them.
    """

    predictions: list[dict[str, Any]] = field(default_factory=list)
    audits: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[tuple[int, str, str], tuple[int, int]] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """How many rows it is about, recorded or not."""
        return sum(n_rows for n_rows, _ in self.counts.values())

    def count(self, hour: int, version: str, segment: str, n_rows: int, n_outliers: int) -> None:
        """Count rows, recorded or not."""
        rows, outliers = self.counts.get(key := (hour, version, segment), (0, 0))
        self.counts[key] = (rows + n_rows, outliers + n_outliers)

    def insert(self, connection: Connection, pace: Pace) -> None:
        """Write all of it."""
        insert_rows(connection, PREDICTIONS, self.predictions, pace)
        insert_rows(connection, AUDITS, self.audits, pace)
        # In one order everywhere, so that two recorders never wait for each other.
        counted = [
            dict(zip(HOURLY_COUNTS.columns.keys(), (*key, *numbers), strict=True))
            for key, numbers in sorted(self.counts.items())
        ]
        add_to_counts(connection, HOURLY_COUNTS, counted)
