"""Writes answers, labels and audits as the recorder and the workers do, from a few arguments each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from sqlalchemy import Connection, Engine, insert, update

from app.db.ids import first_id_at
from app.db.tables import AUDITS, HOURLY_COUNTS, LABELS, PREDICTIONS


class Records:
    """Writes to a database.

    Parameters
    ----------
    connection
        Within a transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection, self._numbers = connection, count(1)

    def add_answer(
        self,
        at: float,
        is_inlier: int,
        *,
        label: int | None = None,
        probability: float | None = None,
        handed_at: float | None = None,
        model_version: str = "v1",
        segment: str = "",
        score: float = -0.5,
    ) -> str:
        """Record a row, its place in the audit queue and then its label; return its id. It is not counted."""
        record_id = first_id_at(at)[:-8] + f"{next(self._numbers):08x}"
        key = {"record_id": record_id, "row": 0}
        row = {"answered_at": at, "model_version": model_version, "segment": segment, "score": score}
        self._connection.execute(
            insert(PREDICTIONS).values(**key, **row, is_inlier=is_inlier, confidence=0.9, recorded_share=1.0)
        )
        if label is not None:
            self.add_label(record_id, label, given_at=(handed_at or at) + 60)
        if probability is not None:
            audit = {"probability": probability, "position": 0.5, "handed_at": handed_at}
            self._connection.execute(insert(AUDITS).values(**key, **audit))
        return record_id

    def add_label(self, record_id: str, label: int, given_at: float) -> None:
        """Store a label, which replaces the current one."""
        of_row = (LABELS.c.record_id == record_id) & LABELS.c.replaced_at.is_(None)
        self._connection.execute(update(LABELS).where(of_row).values(replaced_at=given_at))
        label_row = {"is_inlier": label, "source": "tests", "note": "", "given_at": given_at}
        self._connection.execute(insert(LABELS).values(record_id=record_id, row=0, **label_row))

    def count_answers(
        self, at: float, n_rows: int, n_outliers: int, model_version: str = "v1", segment: str = ""
    ) -> None:
        """Count the rows of an hour, recorded or not."""
        key = {"hour": int(at) // 3600 * 3600, "model_version": model_version, "segment": segment}
        self._connection.execute(insert(HOURLY_COUNTS).values(**key, n_rows=n_rows, n_outliers=n_outliers))


@contextmanager
def writing(engine: Engine) -> Iterator[Records]:
    """Write in one transaction."""
    with engine.begin() as connection:
        yield Records(connection)
