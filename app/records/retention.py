"""Removes records that are older than they are kept, with all that is known of them, in small steps."""

from __future__ import annotations

import socket
import time

from sqlalchemy import Connection, exists, select

from app.records.deletion import delete_oldest
from app.records.event_kinds import PURGE
from app.records.events import add_event
from app.records.moments import write_day
from app.records.record_id import first_id_at
from app.records.tables import EVENTS
from app.records.window import SECONDS_OF_DAY


class Retention:
    """Tells what is too old, and removes it.

    Parameters
    ----------
    days
        For how long records are kept.
    """

    def __init__(self, days: int) -> None:
        self._seconds = days * SECONDS_OF_DAY
        # Nobody typed a command: a setting did it, and the machine that has it.
        self._who = f"RECORD_RETENTION_DAYS={days} of {socket.gethostname()}"

    def purge_step(self, connection: Connection) -> int:
        """Remove the oldest rows that are too old, at most ``STEP_ROWS`` and the rest of a request.

        Labels and draws of a removed row go with it; the hourly counts stay. The first removal of a day is an event.

        Returns
        -------
        int
            How many recorded rows were removed; fewer than ``STEP_ROWS`` when nothing else is too old.
        """
        now = time.time()
        deleted = delete_oldest(connection, first_id_at(now - self._seconds))
        if deleted:
            self._tell_of_day(connection, now // SECONDS_OF_DAY * SECONDS_OF_DAY)
        return deleted.rows

    def _tell_of_day(self, connection: Connection, midnight: float) -> None:
        """Write the event of a day in UTC, unless it is there: dated alike by all recorders, it is one."""
        event = EVENTS.c
        # Looked for first: an insertion that meets it would use up a number each time.
        if connection.scalar(select(exists().where(event.at == midnight, event.what == PURGE, event.before == ""))):
            return
        day = write_day(midnight - self._seconds)
        add_event(connection, self._who, PURGE, after=day, note=f"all records before {day}", at=midnight)
