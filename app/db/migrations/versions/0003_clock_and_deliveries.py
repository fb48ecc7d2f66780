"""How far the clock of retention came, and how many rows of each worker are done.

A migration is history: it states in full what it created, and does not change with ``app.db.tables``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables; without a row, the next purge starts from the machine's clock."""
    op.create_table(
        "retention_clock",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("reached", sa.Double, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("worker", sa.String(16), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
