"""Alarms are handed out for labelling, too, and rows to a second person.

A migration is history: it states in full what it created, and does not change with ``app.db.tables``.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add a queue of alarms, and how far each hand-out came; alarms from before are in no queue."""
    op.add_column("audits", sa.Column("is_inlier", sa.SmallInteger, nullable=False, server_default="1"))
    op.add_column("audits", sa.Column("checked_at", sa.Double))
    op.drop_index("ix_audits_position", "audits")
    op.create_index("audits_in_order", "audits", ["is_inlier", "position"])
    rounds = op.create_table(
        "audit_rounds",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("is_inlier", sa.SmallInteger, nullable=False),
        sa.Column("reach", sa.Double, nullable=False),
    )
    # Hand-outs from before left no trace: those rows count as a random sample, as they did then.
    op.bulk_insert(rounds, [{"at": time.time(), "is_inlier": 1, "reach": 1.0}])
