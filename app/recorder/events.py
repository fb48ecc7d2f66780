"""Writes what happens to models into the audit trail, and reports its contents as metrics."""

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

# Soon enough for an annotation on a dashboard; an update costs a millisecond.
_UPDATE_SECONDS = 2.0

# Training logs who moved the link just after moving it. A link without a log entry for so long was moved by hand.
_LOG_ENTRY_SECONDS = 10.0

# Several recorders may refuse a new link; all date the event by the link, so it is written once. A bundle behind an
# older link was valid until now, or was refused before: then the event has the time of the refusal.
_NEW_LINK_SECONDS = 600.0

# Each takes a person who promotes a broken bundle while the database is down.
_MAX_PENDING = 100

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class _Link:
    """Target and creation time of the link to the live version."""

    version: str
    made_ns: int

    @property
    def made_at(self) -> float:
        """Creation time, in seconds since 1970."""
        return seconds_since_1970(self.made_ns)

    @classmethod
    def read(cls, models: Path) -> _Link | None:
        """Read the link; return None if that fails."""
        link = models / CURRENT_LINK
        with suppress(OSError):
            return cls(link.readlink().name, link.lstat().st_mtime_ns)
        return None


class EventLog:
    """The part of the audit trail that concerns models.

    It works in a thread of its own. While the database cannot be used, events stay pending. Changes that training
    logged while no recorder ran are written as well.

    Parameters
    ----------
    models
        The folder of the versions and the link to the live one.
    address
        The ``DATABASE_URL``.
    metrics
        Reports all events, including those that other processes write.
    """

    def __init__(self, models: Path, address: str, metrics: EventMetrics) -> None:
        self._models, self._address, self._metrics = models, address, metrics
        self._engine: Engine | None = None
        self._live = ""
        self._written: set[VersionChange] = set()
        self._moved: tuple[_Link, float] | None = None
        self._refused: deque[tuple[_Link | None, Event]] = deque(maxlen=_MAX_PENDING)
        self._updating = threading.Lock()
        self._jobs = PeriodicJobs()
        self._jobs.add(self.update, _UPDATE_SECONDS)

    def start(self) -> None:
        """Start the periodic update."""
        self._jobs.start()

    def close(self) -> None:
        """Update a last time, and stop."""
        self._jobs.stop()
        self.update()
        if self._engine is not None:
            self._engine.dispose()

    def promoted(self, version: str) -> None:
        """Store that the version which the link leads to is live."""
        self._live = version
        link = _Link.read(self._models)
        self._moved = (link, time.monotonic()) if link else None

    def refused(self, reason: str) -> None:
        """Store that the version which the link leads to was refused, so that the previous one stays live.

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

    def update(self) -> None:
        """Write pending events and update the metrics; if the database cannot be used, events stay pending."""
        # The recorder's writer reports a database that cannot be used.
        with self._updating, suppress(RecordsUnavailable, SQLAlchemyError):
            self._engine = self._engine or open_database(self._address)
            with self._engine.connect() as connection:
                self._report(connection)
                if self._write_changes(connection) | self._write_refusals(connection):
                    self._report(connection)

    def _write_changes(self, connection: Connection) -> bool:
        """Write who made which version live; return True if anything was new."""
        moved, is_new = self._moved, False
        new = [change for change in read_changes(self._models) if change not in self._written]
        for change in new:
            is_new |= add_event(connection, change.who, change.what, change.before, change.after, at=change.at)
        is_overdue = moved is not None and time.monotonic() - moved[1] > _LOG_ENTRY_SECONDS
        if moved is not None and is_overdue:
            is_new |= _write_unlogged_move(connection, moved[0])
        connection.commit()
        self._written.update(new)
        if self._moved is moved and is_overdue:
            self._moved = None
        return is_new

    def _write_refusals(self, connection: Connection) -> bool:
        """Write which bundles were refused; return True if anything was new."""
        is_new = False
        while self._refused:
            link, event = self._refused[0]
            changes = read_changes(self._models) if link else []
            who = next((change.who for change in changes if link and change.link_made_ns == link.made_ns), event.who)
            is_new |= add_event(connection, who, event.what, event.before, event.after, event.note, event.at)
            connection.commit()
            self._refused.popleft()
        return is_new

    def _report(self, connection: Connection) -> None:
        """Report how many events of each kind there are, and when the last one was."""
        columns = tables.EVENTS.c
        rows = connection.execute(select(columns.what, func.count(), func.max(columns.at)).group_by(columns.what))
        self._metrics.record_trail({what: (number, last) for what, number, last in rows})


def _write_unlogged_move(connection: Connection, link: _Link) -> bool:
    """Write that the link was moved without a log entry; return False if there is one, or nothing was moved."""
    at = link.made_at
    earlier = [event.after for event in read_events(connection, until=at, what=(PROMOTION, ROLLBACK))]
    known = earlier[-1] if earlier else ""
    same = [event for event in read_events(connection, since=at, what=(PROMOTION, ROLLBACK)) if event.at == at]
    if known == link.version or same:
        return False
    return add_event(connection, _UNKNOWN, PROMOTION, known, link.version, "the link was moved by hand", at)
