"""Why a row is an outlier.

A migration is history: it states in full what it created, and does not change with ``app.db.tables``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; NULL stands for an inlier, an alarm without an explanation, and everything from before."""
    op.add_column("predictions", sa.Column("explanation", sa.Text))
