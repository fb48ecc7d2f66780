"""What Alembic runs to migrate: on the connection that it was given, in the transaction that this is in."""

from __future__ import annotations

from alembic import context

from app.db.revision import REVISION_TABLE


def migrate() -> None:
    """Run the migrations that are missing."""
    context.configure(
        connection=context.config.attributes["connection"],
        version_table=REVISION_TABLE,
        # SQLite can undo a change of a table as well, if Python leaves transactions to us.
        transactional_ddl=True,
    )
    context.run_migrations()


# The name under which Alembic loads this file; whoever else imports it, runs nothing.
if __name__ == "env_py":
    migrate()
