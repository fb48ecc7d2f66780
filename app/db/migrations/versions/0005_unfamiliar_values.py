"""Unfamiliar values of a row, which then has no confidence.

A migration is history: it states in full what it created, and does not change with ``app.db.tables``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column, NULL for a row without such values and for all from before; allow rows without a confidence."""
    op.add_column("predictions", sa.Column("unfamiliar", sa.Text))
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.alter_column("predictions", "confidence", nullable=True)
        return
    # SQLite cannot drop NOT NULL, and to copy a large table takes long. For this change its documentation allows to
    # edit the text of the schema: https://www.sqlite.org/lang_altertable.html#otheralter
    version = connection.scalar(sa.text("PRAGMA schema_version"))
    connection.execute(sa.text("PRAGMA writable_schema = ON"))
    connection.execute(
        sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, 'confidence DOUBLE NOT NULL', 'confidence DOUBLE') "
            "WHERE type = 'table' AND name = 'predictions'"
        )
    )
    # A new number makes every connection read the schema again.
    connection.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema = OFF"))
