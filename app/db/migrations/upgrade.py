"""Runs missing migrations with Alembic, which is configured here instead of in a file."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

FOLDER = Path(__file__).parent


def upgrade_tables(connection: Connection, folder: Path = FOLDER) -> None:
    """Run the missing migrations within the connection's transaction.

    Parameters
    ----------
    connection
        In a transaction that no other process can hold at the same time.
    folder
        Contains ``env.py`` and the folder ``versions`` with the migrations.
    """
    command.upgrade(configure(folder, connection), "head")


def configure(folder: Path = FOLDER, connection: Connection | None = None) -> Config:
    """Configure Alembic with the folder of the migrations, and the connection for ``env.py``."""
    config = Config(attributes={"connection": connection})
    # In such an option, a percent sign starts a reference.
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
