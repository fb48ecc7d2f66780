"""How far each recorder has come: what a worker looks at before it calls a request id unknown."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from app.records.tables import WRITERS

# Far beyond the five minutes after which a silent recorder no longer counts.
_FORGOTTEN_AFTER_SECONDS = 86_400


def note_progress(connection: Connection, replica: str, written_until: float, now: float) -> None:
    """Note that all rows which a recorder's workers handed over before a moment are committed, or given up.

    Parameters
    ----------
    connection
        Of the transaction in which the last of them are committed.
    replica
        The name of the recorder.
    written_until, now
        Seconds since 1970. A recorder that has just begun has written nothing: 0.
    """
    values = {"written_until": written_until, "updated_at": now, "stopped_at": None}
    if not connection.execute(update(WRITERS).where(WRITERS.c.replica == replica).values(values)).rowcount:
        connection.execute(insert(WRITERS).values(replica=replica, **values))
        connection.execute(delete(WRITERS).where(WRITERS.c.updated_at < now - _FORGOTTEN_AFTER_SECONDS))


def note_end(connection: Connection, replica: str, now: float) -> None:
    """Note that a recorder has ended: nobody needs to wait for it any longer."""
    connection.execute(update(WRITERS).where(WRITERS.c.replica == replica).values(updated_at=now, stopped_at=now))


def was_committed(connection: Connection, replica: str, now: float) -> bool:
    """Tell whether the transaction that noted progress at ``now`` was committed, where no answer came to COMMIT."""
    return connection.scalar(select(WRITERS.c.updated_at).where(WRITERS.c.replica == replica)) == now
