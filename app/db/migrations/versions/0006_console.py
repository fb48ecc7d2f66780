"""What the console shows: an index of alarms, notes about rows, and counts by the minute.

A migration is history: it states in full what it created, and does not change with ``app.db.tables``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables and the index; minutes from before have no counts."""
    is_alarm = sa.text("is_inlier = -1")
    op.create_index(
        "predictions_that_are_alarms",
        "predictions",
        ["record_id", "row"],
        sqlite_where=is_alarm,
        postgresql_where=is_alarm,
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("record_id", sa.String(32), nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("is_unsure", sa.SmallInteger, nullable=False),
        sa.Column("note", sa.String(1000), nullable=False),
        sa.Column("given_at", sa.Double, nullable=False),
        sa.Column("given_by", sa.String(64)),
    )
    op.create_index("notes_by_record", "notes", ["record_id", "row"])
    op.create_table(
        "minute_counts",
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("n_rows", sa.BigInteger, nullable=False),
        sa.Column("n_outliers", sa.BigInteger, nullable=False),
    )
