"""Runs the migrations that a database lacks: Alembic, configured here instead of in a file.

Keeps Alembic's log lines about itself out of the service's log, which says itself what was done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from logging import WARNING, getLogger
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


@contextmanager
def quiet_alembic() -> Iterator[None]:
    """Let Alembic log warnings only, also while it is imported, when it names each of its plugins."""
    logger = getLogger("alembic")
    level = logger.level
    logger.setLevel(WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


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
