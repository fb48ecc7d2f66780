"""How far labelling has come: what waits, and when the last label was given."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Select, func, select

from app.records.tables import AUDITS, LABELS, WAITING_LABELS

# More than anybody labels in a month; counting on would look at every row that was ever drawn.
MOST_COUNTED_AUDITS = 10_000


@dataclass(frozen=True)
class LabellingProgress:
    """What waits.

    Parameters
    ----------
    n_waiting_audits
        Drawn rows without a label, handed out or not; no more than ``MOST_COUNTED_AUDITS`` are counted.
    n_waiting_labels
        Labels whose record is not written yet.
    last_label_at
        Seconds since 1970; 0 if there is no label.
    """

    n_waiting_audits: int
    n_waiting_labels: int
    last_label_at: float


def read_labelling_progress(connection: Connection) -> LabellingProgress:
    """Read how far labelling has come."""
    n_audits = connection.execute(waiting_audits_query()).scalar_one()
    n_labels = connection.execute(select(func.count()).select_from(WAITING_LABELS)).scalar_one()
    last_at = connection.execute(last_label_query()).scalar()
    return LabellingProgress(n_audits, n_labels, last_at or 0.0)


def waiting_audits_query() -> Select[int]:
    """Ask for the drawn rows without a label: it looks at the labelled ones and at so many others."""
    is_labelled = (
        select(LABELS.c.id)
        .where(LABELS.c.record_id == AUDITS.c.record_id, LABELS.c.row == AUDITS.c.row, LABELS.c.replaced_at.is_(None))
        .exists()
    )
    waiting = select(AUDITS.c.row).where(~is_labelled).limit(MOST_COUNTED_AUDITS).subquery()
    return select(func.count()).select_from(waiting)


def last_label_query() -> Select[float]:
    """Ask for the newest label, which has the highest id."""
    return select(LABELS.c.given_at).order_by(LABELS.c.id.desc()).limit(1)
