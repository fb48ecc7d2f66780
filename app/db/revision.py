"""The revision of a database's tables, read without Alembic, which takes long to import."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from app.db.url import DatabaseAddress
from app.errors import RecordsUnavailable

# The newest file in app/db/migrations/versions. Revisions count up, so that older and newer ones can be compared.
REVISION = "0005"

# Not Alembic's default: a PostgreSQL database may be shared with another program that uses Alembic.
REVISION_TABLE = "isowatch_schema"


def read_revision(connection: Connection) -> str | None:
    """Read the revision; None for a database without our tables."""
    if not inspect(connection).has_table(REVISION_TABLE):
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {REVISION_TABLE}"))
    return revision


def require_this_revision(revision: str | None, address: DatabaseAddress) -> None:
    """Check that the tables have the revision of this code.

    Raises
    ------
    RecordsUnavailable
        If they are missing, older or newer.
    """
    require_no_newer(revision, address)
    if revision is None:
        raise RecordsUnavailable(
            f"{address} holds no records yet: the service creates the tables when it starts, "
            "and so does `python -m app.records upgrade`."
        )
    if revision < REVISION:
        raise RecordsUnavailable(
            f"{address} was written by an older Isowatch (revision {revision}, this one needs {REVISION}): "
            "start the service, or run `python -m app.records upgrade`."
        )


def require_no_newer(revision: str | None, address: DatabaseAddress) -> None:
    """Check that the tables were not written by a newer Isowatch."""
    if revision is not None and revision > REVISION:
        raise RecordsUnavailable(
            f"{address} was written by a newer Isowatch (revision {revision}, this one knows up to {REVISION}): "
            "install that version, or name another database in DATABASE_URL."
        )
