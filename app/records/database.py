"""Opens the database of records: an SQLite file or a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from app.errors import InvalidSetting
from app.records.tables import METADATA

# A short transaction of another process is waited for; whoever holds the lock longer is told of as locked.
_LOCK_SECONDS = 1.0


def open_database(address: str) -> Engine:
    """Open the database whose schema is up to date.

    Parameters
    ----------
    address
        ``sqlite:///file``, ``sqlite:////absolute/file`` or ``postgresql://user:password@host/database``.

    Raises
    ------
    InvalidSetting
        If it is neither.
    """
    url = _read_address(address)
    if url.get_backend_name() == "postgresql":
        return create_engine(url.set(drivername="postgresql+pg8000"), pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": _LOCK_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def upgrade_database(address: str) -> None:
    """Make the tables, or bring them up to date; for the recorder and the command line only."""
    url = _read_address(address)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    METADATA.create_all(open_database(address))


def _read_address(address: str) -> URL:
    """Read ``DATABASE_URL``."""
    try:
        url = make_url(address)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("sqlite", "postgresql"):
        raise InvalidSetting(
            "DATABASE_URL does not name a database: give sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    return url


def _prepare_sqlite(connection: object, _: object) -> None:
    """Let readers and the writer work side by side, and overwrite what is deleted."""
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
