"""Runs the migrations that a database lacks: Alembic, configured here instead of in a file."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

FOLDER = Path(__file__).parent


def upgrade_tables(connection: Connection, folder: Path = FOLDER) -> None:
    """Run what is missing, in the transaction that the connection is in.

    Parameters
    ----------
    connection
        In a transaction that nobody else can begin.
    folder
        Holds ``env.py`` and the migrations in ``versions``.
    """
    command.upgrade(configure(folder, connection), "head")


def configure(folder: Path = FOLDER, connection: Connection | None = None) -> Config:
    """Tell Alembic where the migrations are, and what ``env.py`` is to work on."""
    config = Config(attributes={"connection": connection})
    # In such an option a percent sign begins a reference.
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
