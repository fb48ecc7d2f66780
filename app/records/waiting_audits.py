"""How many rows wait in the audit queue for a label."""

from __future__ import annotations

from sqlalchemy import Connection, Select, func, select

from app.records.tables import AUDITS, LABELS

# More than anybody labels in a month; counting on would look at every row that was ever drawn.
MOST_COUNTED = 10_000


def count_waiting_audits(connection: Connection) -> int:
    """Count drawn rows without a label, handed out or not; ``MOST_COUNTED`` stands for that many or more."""
    return connection.execute(waiting_audits_query()).scalar_one()


def waiting_audits_query() -> Select[int]:
    """Ask for them: it looks at the drawn rows that are labelled, and at so many others."""
    is_labelled = (
        select(LABELS.c.id)
        .where(LABELS.c.record_id == AUDITS.c.record_id, LABELS.c.row == AUDITS.c.row, LABELS.c.replaced_at.is_(None))
        .exists()
    )
    waiting = select(AUDITS.c.row).where(~is_labelled).limit(MOST_COUNTED).subquery()
    return select(func.count()).select_from(waiting)
