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
from app.errors import InvalidBundle, RecordsUnavailable
from app.metrics.records import REFUSED_BUNDLE, EventMetrics
from app.model.bundle import read_bundle
from app.model.live_model import CURRENT_LINK
from app.model.version_log import PROMOTION, ROLLBACK, VersionChange, read_changes, seconds_since_1970
from app.records.events import Event, add_event, read_events
from app.server.scheduler import PeriodicJobs

# Soon enough for an annotation on a dashboard; an update costs a millisecond.
_UPDATE_SECONDS = 2.0

# A link that is moved again within this time is not seen; looking costs ten microseconds.
_LOOK_SECONDS = 0.05

# Training logs who moved the link just after moving it. A link without a log entry for so long was moved by hand. At
# the end of the service, a second must do.
_LOG_ENTRY_SECONDS, _LAST_LOG_ENTRY_SECONDS = 10.0, 1.0

# Several recorders may refuse a new link; all date the event by the link, so it is written once. A bundle behind an
# older link was valid until now, or was refused before: then the event has the time of the refusal.
_NEW_LINK_SECONDS = 600.0

# Many more than the moves and refusals of the hours that a database may be down, in less than a megabyte.
_MAX_PENDING = 1000

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
        # The link as it was seen last, and all that were not there before, with the (monotonic) time of that.
        self._link: _Link | None = None
        self._moves: deque[tuple[_Link, float]] = deque(maxlen=_MAX_PENDING)
        # The links whose bundle the recorder has loaded or refused, by creation time.
        self._loaded: deque[int] = deque(maxlen=_MAX_PENDING)
        self._rejected: deque[int] = deque(maxlen=_MAX_PENDING)
        self._refused: deque[tuple[_Link | None, Event]] = deque(maxlen=_MAX_PENDING)
        self._updating, self._looking = threading.Lock(), threading.Lock()
        self._jobs, self._looks = PeriodicJobs(), PeriodicJobs()
        self._jobs.add(self.update, _UPDATE_SECONDS)
        # In a thread of its own: a database that is slow to answer hides no move.
        self._looks.add(self.look, _LOOK_SECONDS)

    def start(self) -> None:
        """Start the periodic update."""
        self._jobs.start()
        self._looks.start()

    def close(self) -> None:
        """Update a last time, and stop."""
        self._looks.stop()
        self._jobs.stop()
        self.look()
        if self._moves:
            # A new recorder would see where the link leads then, but not where it led in between.
            time.sleep(max(0.0, self._moves[-1][1] + _LAST_LOG_ENTRY_SECONDS - time.monotonic()))
        self._update(_LAST_LOG_ENTRY_SECONDS)
        if self._engine is not None:
            self._engine.dispose()

    def look(self) -> None:
        """Read where the link leads, and store a link that was not there before."""
        with self._looking:
            link = _Link.read(self._models)
            if link is not None and link != self._link:
                self._link = link
                self._moves.append((link, time.monotonic()))

    def promoted(self, version: str, link_made_ns: int | None = None) -> None:
        """Store that a version is live.

        Parameters
        ----------
        version
            Of the bundle.
        link_made_ns
            When the link to it was made, in nanoseconds since 1970; by default, it is the present one.
        """
        self._live = version
        self.look()
        link = self._find(link_made_ns)
        if link is not None:
            self._loaded.append(link.made_ns)

    def refused(self, reason: str, link_made_ns: int | None = None) -> None:
        """Store that a version was refused, so that the previous one stays live.

        Parameters
        ----------
        reason
            What is wrong with the bundle.
        link_made_ns
            As in :meth:`promoted`.
        """
        self.look()
        self._refuse(self._find(link_made_ns), reason)

    def _find(self, made_ns: int | None) -> _Link | None:
        """Return the link that was made at a time, which may have been moved since; by default the present one."""
        moves = [link for link, _ in list(self._moves) if link.made_ns == made_ns]
        return moves[-1] if moves else self._link

    def _refuse(self, link: _Link | None, reason: str) -> None:
        """Schedule the event of a refused bundle."""
        at, version = time.time(), ""
        if link is not None:
            self._rejected.append(link.made_ns)
            version = link.version
            if abs(at - link.made_at) < _NEW_LINK_SECONDS:
                at = link.made_at
        self._refused.append((link, Event(at, _UNKNOWN, REFUSED_BUNDLE, self._live, version, reason)))

    def update(self) -> None:
        """Write pending events and update the metrics; if the database cannot be used, events stay pending."""
        self._update(_LOG_ENTRY_SECONDS)

    def _update(self, log_entry_seconds: float) -> None:
        """Do the same, treating links without a log entry for so long as moved by hand."""
        # The recorder's writer reports a database that cannot be used.
        with self._updating, suppress(RecordsUnavailable, SQLAlchemyError):
            self._engine = self._engine or open_database(self._address)
            with self._engine.connect() as connection:
                self._report(connection)
                is_new = self._write_changes(connection) | self._write_moves(connection, log_entry_seconds)
                if self._write_refusals(connection) | is_new:
                    self._report(connection)

    def _write_changes(self, connection: Connection) -> bool:
        """Write what training logged; return True if anything was new."""
        is_new = False
        new = [change for change in read_changes(self._models) if change not in self._written]
        for change in new:
            is_new |= add_event(
                connection, change.who, change.what, change.before, change.after, change.note, change.at
            )
        connection.commit()
        self._written.update(new)
        return is_new

    def _write_moves(self, connection: Connection, log_entry_seconds: float) -> bool:
        """Write which links were moved by hand, each once, in order; return True if anything was new."""
        is_new = False
        while self._moves and time.monotonic() - self._moves[0][1] >= log_entry_seconds:
            link, _ = self._moves[0]
            if link.made_ns not in self._rejected and not _is_known(connection, link):
                if problem := "" if link.made_ns in self._loaded else self._find_problem(link):
                    self._refuse(link, problem)
                else:
                    is_new |= _write_unlogged_move(connection, link)
            connection.commit()
            self._moves.popleft()
        return is_new

    def _find_problem(self, link: _Link) -> str:
        """Return why a bundle would be refused whose link was moved again before anybody loaded it; empty if sound."""
        try:
            read_bundle(self._models / link.version)
        except InvalidBundle as error:
            return str(error)
        return ""

    def _write_refusals(self, connection: Connection) -> bool:
        """Write which bundles were refused; return True if anything was new."""
        is_new = False
        while self._refused:
            link, event = self._refused[0]
            changes = read_changes(self._models) if link else []
            who = next((change.who for change in changes if link and change.link_made_ns == link.made_ns), event.who)
            if not _is_refusal_known(connection, link, event):
                is_new |= add_event(connection, who, event.what, event.before, event.after, event.note, event.at)
            connection.commit()
            self._refused.popleft()
        return is_new

    def _report(self, connection: Connection) -> None:
        """Report how many events of each kind there are, and when the last one was."""
        columns = tables.EVENTS.c
        rows = connection.execute(select(columns.what, func.count(), func.max(columns.at)).group_by(columns.what))
        self._metrics.record_trail({what: (number, last) for what, number, last in rows})


def _is_known(connection: Connection, link: _Link) -> bool:
    """Return whether the move of a link has an event, or moved nothing."""
    moves = (PROMOTION, ROLLBACK)
    if any(event.at == link.made_at for event in read_events(connection, since=link.made_at, what=moves)):
        return True
    return _last_before(connection, link) == link.version


def _last_before(connection: Connection, link: _Link) -> str:
    """Return the version that was live before a link was made; empty if unknown."""
    columns = tables.EVENTS.c
    earlier = select(columns.after).where(columns.at < link.made_at, columns.what.in_((PROMOTION, ROLLBACK)))
    return connection.scalar(earlier.order_by(columns.at.desc(), columns.id.desc()).limit(1)) or ""


def _write_unlogged_move(connection: Connection, link: _Link) -> bool:
    """Write that the link was moved without a log entry."""
    before = _last_before(connection, link)
    return add_event(connection, _UNKNOWN, PROMOTION, before, link.version, "the link was moved by hand", link.made_at)


def _is_refusal_known(connection: Connection, link: _Link | None, event: Event) -> bool:
    """Return whether the refusal of a link has an event; a recorder that was restarted refuses the link again."""
    if link is None:
        return False
    refusals = read_events(connection, since=link.made_at, what=(REFUSED_BUNDLE,))
    is_new_link = event.at == link.made_at
    return any(known.after == event.after and (known.at == event.at or not is_new_link) for known in refusals)
