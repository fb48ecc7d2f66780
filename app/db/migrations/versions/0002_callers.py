"""Who gave a label, by the name of the API key.

A migration is history: it states in full what it created, and does not change with ``app.db.tables``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; NULL stands for a caller without a key, and for everything from before."""
    for table in ("labels", "waiting_labels"):
        op.add_column(table, sa.Column("given_by", sa.String(64)))
