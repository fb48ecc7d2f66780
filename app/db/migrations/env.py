"""The script that Alembic runs to migrate: on the given connection, within its transaction."""

from __future__ import annotations

from alembic import context

from app.db.revision import REVISION_TABLE


def migrate() -> None:
    """Run the migrations that are missing."""
    context.configure(
        connection=context.config.attributes["connection"],
        version_table=REVISION_TABLE,
        # SQLite can roll back changes of tables, too, if Python leaves transactions to us.
        transactional_ddl=True,
    )
    context.run_migrations()


# Alembic loads this file under this name; importing it elsewhere runs nothing.
if __name__ == "env_py":
    migrate()
