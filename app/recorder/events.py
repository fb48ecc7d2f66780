"""Writes what happens to the models into the audit trail, and lets the metrics say what is in it."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from app.db import tables
from app.db.engine import open_database
from app.errors import RecordsUnavailable
from app.metrics.records import REFUSED_BUNDLE, EventMetrics
from app.model.live_model import CURRENT_LINK
from app.model.version_log import PROMOTION, ROLLBACK, VersionChange, read_changes, seconds_since_1970
from app.records.events import Event, add_event, read_events
from app.server.scheduler import PeriodicJobs

# Soon enough for an annotation on a dashboard; looking costs a millisecond.
_LOOK_SECONDS = 2.0

# Training notes who moved the link just after it did; a link without a note for so long was moved by somebody else.
_NOTE_SECONDS = 10.0

# Recorders that refuse a new link date this by the link itself, and so write it once. What an older one leads to was
# sound until now, or was refused before: that is dated by when it was refused.
_NEW_LINK_SECONDS = 600.0

# Each needs a person who promotes a broken bundle while the database is away.
_MOST_WAITING = 100

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class _Link:
    """Where the link to the live version led, and when it was made; as far as it could be read."""

    version: str
    made_ns: int

    @property
    def made_at(self) -> float:
        """When it was made, in seconds since 1970."""
        return seconds_since_1970(self.made_ns)

    @classmethod
    def read(cls, models: Path) -> _Link | None:
        """Read the link."""
        link = models / CURRENT_LINK
        with suppress(OSError):
            return cls(link.readlink().name, link.lstat().st_mtime_ns)
        return None


class EventLog:
    """The part of the audit trail that is about models.

    It works in a thread of its own; while the database cannot be used, what is to be written waits. What training noted
    while no recorder ran is written as well.

    Parameters
    ----------
    models
        The folder of the versions and the link to the live one.
    address
        Of the database.
    metrics
        Tell of all events, also of those that others write.
    """

    def __init__(self, models: Path, address: str, metrics: EventMetrics) -> None:
        self._models, self._address, self._metrics = models, address, metrics
        self._engine: Engine | None = None
        self._live = ""
        self._written: set[VersionChange] = set()
        self._moved: tuple[_Link, float] | None = None
        self._refused: deque[tuple[_Link | None, Event]] = deque(maxlen=_MOST_WAITING)
        self._looking = threading.Lock()
        self._jobs = PeriodicJobs()
        self._jobs.add(self.look, _LOOK_SECONDS)

    def start(self) -> None:
        """Begin to look every few seconds."""
        self._jobs.start()

    def close(self) -> None:
        """Look a last time, and end."""
        self._jobs.stop()
        self.look()
        if self._engine is not None:
            self._engine.dispose()

    def promoted(self, version: str) -> None:
        """Take note that a version is live, the one which the link leads to."""
        self._live = version
        link = _Link.read(self._models)
        self._moved = (link, time.monotonic()) if link else None

    def refused(self, reason: str) -> None:
        """Take note that the version which the link leads to was refused, so that the one before goes on.

        Parameters
        ----------
        reason
            What is wrong with the bundle.
        """
        link, at = _Link.read(self._models), time.time()
        if link and abs(at - link.made_at) < _NEW_LINK_SECONDS:
            at = link.made_at
        version = link.version if link else ""
        self._refused.append((link, Event(at, _UNKNOWN, REFUSED_BUNDLE, self._live, version, reason)))

    def look(self) -> None:
        """Write what is not written yet, and tell the metrics of everything; wait if the database cannot be used."""
        # The recorder's writer tells of a database that cannot be used.
        with self._looking, suppress(RecordsUnavailable, SQLAlchemyError):
            self._engine = self._engine or open_database(self._address)
            with self._engine.connect() as connection:
                self._tell_metrics(connection)
                if self._write_changes(connection) | self._write_refusals(connection):
                    self._tell_metrics(connection)

    def _write_changes(self, connection: Connection) -> bool:
        """Write who made which version live; True if anything was new."""
        moved, is_new = self._moved, False
        new = [change for change in read_changes(self._models) if change not in self._written]
        for change in new:
            is_new |= add_event(connection, change.who, change.what, change.before, change.after, at=change.at)
        is_overdue = moved is not None and time.monotonic() - moved[1] > _NOTE_SECONDS
        if moved is not None and is_overdue:
            is_new |= _write_move_without_note(connection, moved[0])
        connection.commit()
        self._written.update(new)
        if self._moved is moved and is_overdue:
            self._moved = None
        return is_new

    def _write_refusals(self, connection: Connection) -> bool:
        """Write which bundles were refused; True if anything was new."""
        is_new = False
        while self._refused:
            link, event = self._refused[0]
            changes = read_changes(self._models) if link else []
            who = next((change.who for change in changes if link and change.link_made_ns == link.made_ns), event.who)
            is_new |= add_event(connection, who, event.what, event.before, event.after, event.note, event.at)
            connection.commit()
            self._refused.popleft()
        return is_new

    def _tell_metrics(self, connection: Connection) -> None:
        """Read how many events of each kind there are, and when the last one was."""
        columns = tables.EVENTS.c
        rows = connection.execute(select(columns.what, func.count(), func.max(columns.at)).group_by(columns.what))
        self._metrics.record_trail({what: (number, last) for what, number, last in rows})


def _write_move_without_note(connection: Connection, link: _Link) -> bool:
    """Write that the link was moved by something that left no note; False if there is one, or nothing was moved."""
    at = link.made_at
    earlier = [event.after for event in read_events(connection, until=at, what=(PROMOTION, ROLLBACK))]
    known = earlier[-1] if earlier else ""
    same = [event for event in read_events(connection, since=at, what=(PROMOTION, ROLLBACK)) if event.at == at]
    if known == link.version or same:
        return False
    return add_event(connection, _UNKNOWN, PROMOTION, known, link.version, "the link was moved by hand", at)
