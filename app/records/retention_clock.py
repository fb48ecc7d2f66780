"""The clock that retention follows: it never runs ahead of the time that really passed by more than the pace.

A machine's clock may be wrong for a while: its battery is empty, or somebody set it. All records would then look old
enough to be purged. So retention follows the clock of the machine only as far as the kernel's count of seconds allows,
which nobody can set, and remembers in the database how far it came.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, insert, select, update

from app.db.tables import RETENTION_CLOCK

# Faster than real time, so that retention catches up after days without a service; so an hour of a clock that is wrong
# costs the records of one hour.
_PACE = 2.0

# Below this, neither a slow start nor leap seconds nor a restart is worth a message.
TOLERATED_LAG_SECONDS = 3600.0


class RetentionClock:
    """The time by which retention measures the age of records; seconds since 1970."""

    def __init__(self) -> None:
        self._reached: float | None = None
        self._read_at = 0.0

    def read(self, connection: Connection) -> float:
        """Return the time, at most that of the machine's clock, and store it.

        Parameters
        ----------
        connection
            In a transaction that may write.
        """
        # Unlike the monotonic clock, this one counts while the machine is suspended.
        running = time.clock_gettime(time.CLOCK_BOOTTIME)
        stored = read_stored(connection)
        now = time.time()
        if self._reached is None:
            # A database from before this clock, or a new one: there is nothing to compare with.
            reached = now if stored is None else stored
        else:
            # Another replica, or an operator who confirmed the time, may be further.
            reached = max(self._reached + _PACE * (running - self._read_at), stored or 0.0)
        self._reached, self._read_at = min(now, reached), running
        if self._reached != stored:
            store(connection, self._reached)
        return self._reached


def read_stored(connection: Connection) -> float | None:
    """Return how far the clock came; None if no recorder has stored it yet."""
    return connection.scalar(select(RETENTION_CLOCK.c.reached))


def store(connection: Connection, seconds: float) -> None:
    """Store how far the clock came."""
    if not connection.execute(update(RETENTION_CLOCK).values(reached=seconds)).rowcount:
        connection.execute(insert(RETENTION_CLOCK).values(id=1, reached=seconds))
