"""What the recorder writes: rows and counts, model versions with their features, segments, and its own progress."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from app.db.bulk_insert import Throttle, add_to_counts, insert_rows
from app.db.engine import write_transaction
from app.db.tables import (
    AUDITS,
    DELIVERIES,
    HOURLY_COUNTS,
    MINUTE_COUNTS,
    MODEL_VERSIONS,
    PREDICTIONS,
    SEGMENTS,
    WRITERS,
)
from app.errors import InvalidBundle
from app.model.bundle import Bundle, read_manifest
from app.model.manifest_check import columns_to_record
from app.records.timestamps import SECONDS_PER_HOUR, SECONDS_PER_MINUTE

# The name under which all further segments are recorded; a caller that names its segment so is among them.
OTHER_SEGMENTS = "other"

# No worker keeps rows for so long without a recorder.
_FORGET_SECONDS = 7 * 86_400.0

# Far beyond the five minutes after which a silent recorder no longer counts.
_FORGET_WRITER_SECONDS = 86_400


def store_version(connection: Connection, version: str, name: str, feature_names: Sequence[Any]) -> None:
    """Store the features of a model version; if it is stored already, nothing changes.

    Parameters
    ----------
    connection
        In a transaction.
    version, name
        Of the model.
    feature_names
        Of :func:`columns_to_record`, in the order of a row's numbers.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    inserted = insert(MODEL_VERSIONS).values(
        version=version, name=name, feature_names=json.dumps(list(feature_names)), first_seen_at=time.time()
    )
    connection.execute(inserted.on_conflict_do_nothing())


class KnownVersions:
    """Stores model versions that go live, and those of rows that arrive before the recorder has loaded the model.

    Parameters
    ----------
    model_dir
        The folder of bundles.
    """

    def __init__(self, model_dir: Path) -> None:
        self._model_dir = model_dir
        self._stored: set[str] = set()
        self._stored_in: Engine | None = None
        # By version: the name of the model and those of its features. Another thread adds to it.
        self._pending: dict[str, tuple[str, list[Any]]] = {}

    def follow(self, bundle: Bundle) -> None:
        """Schedule a version to be stored; may be called by another thread."""
        self._pending[bundle.version] = (bundle.name, columns_to_record(bundle.manifest))

    def store(self, engine: Engine, versions: Iterable[str] = ()) -> None:
        """Store scheduled versions, and the given ones, which rows name."""
        if engine is not self._stored_in:  # after it was reopened, it may be another file, or a restored one
            self._stored, self._stored_in = set(), engine
        for version in set(versions) - self._stored - self._pending.keys():
            self._read(version)
        for version, (name, features) in list(self._pending.items()):
            if version not in self._stored:
                with engine.begin() as connection:
                    store_version(connection, version, name, features)
                self._stored.add(version)

    def _read(self, version: str) -> None:
        """Read the features of a version from its bundle."""
        try:
            manifest = read_manifest(self._model_dir / version)
            self._pending[version] = (manifest["name"], columns_to_record(manifest))
        except (InvalidBundle, KeyError, TypeError):
            self._stored.add(version)  # the bundle is gone; do not try again for every batch


class KnownSegments:
    """The segments that are recorded under their own names: the first ``max_segments``. A table outlives restarts.

    Parameters
    ----------
    max_segments
        How many there may be; further ones share one name.
    """

    def __init__(self, max_segments: int) -> None:
        self._max = max_segments
        self._names: frozenset[str] = frozenset()
        self._read_from: Engine | None = None

    def learn(self, engine: Engine, segments: Iterable[str]) -> None:
        """Add new segments while there is room."""
        if engine is not self._read_from:  # after it was reopened, it may be another file, or a restored one
            self._names = frozenset()
        # Rows without a segment have an empty one.
        new = {name for name in segments if name} - self._names
        if engine is self._read_from and (not new or len(self._names) >= self._max):
            return
        with write_transaction(engine) as connection:
            _lock_out_other_recorders(connection)
            names = set(connection.scalars(select(SEGMENTS.c.name)))
            room = max(0, self._max - len(names))
            # In a fixed order, so that two runs over the same rows give the same.
            added = sorted(new - names)[:room]
            if added:
                now = time.time()
                connection.execute(insert(SEGMENTS), [{"name": name, "first_seen_at": now} for name in added])
        self._names, self._read_from = frozenset(names.union(added)), engine

    def name(self, segment: str) -> str:
        """Return the name under which a segment is recorded; empty stays empty."""
        return segment if not segment or segment in self._names else OTHER_SEGMENTS


def _lock_out_other_recorders(connection: Connection) -> None:
    """Wait for other recorders, so that together they do not add too many; SQLite has only one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {SEGMENTS.name} IN SHARE ROW EXCLUSIVE MODE"))


def record_progress(connection: Connection, replica: str, written_until: float, now: float) -> None:
    """Record that all rows which a recorder's workers sent before a time are committed or dropped.

    Workers read this before they call a request id unknown.

    Parameters
    ----------
    connection
        In the transaction that commits the last of these rows.
    replica
        The name of the recorder.
    written_until, now
        Seconds since 1970. A recorder that has just started has written nothing: 0.
    """
    values = {"written_until": written_until, "updated_at": now, "stopped_at": None}
    if not connection.execute(update(WRITERS).where(WRITERS.c.replica == replica).values(values)).rowcount:
        connection.execute(insert(WRITERS).values(replica=replica, **values))
        connection.execute(delete(WRITERS).where(WRITERS.c.updated_at < now - _FORGET_WRITER_SECONDS))


def record_end(connection: Connection, replica: str, now: float) -> None:
    """Record that a recorder has ended, so that nobody waits for it any longer."""
    connection.execute(update(WRITERS).where(WRITERS.c.replica == replica).values(updated_at=now, stopped_at=now))


def was_committed(connection: Connection, replica: str, now: float) -> bool:
    """Return whether the transaction that recorded progress at ``now`` was committed; its COMMIT got no answer."""
    return connection.scalar(select(WRITERS.c.updated_at).where(WRITERS.c.replica == replica)) == now


class Deliveries:
    """The positions up to which the rows of each worker are done: committed or dropped.

    They are read once from a database, and stored with each commit. A worker sends all later rows again to a recorder
    that replaces one that was killed.
    """

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._read_from: Engine | None = None

    def read(self, engine: Engine, workers: Iterable[str]) -> Mapping[str, int]:
        """Return the position of each worker; 0 for a new one."""
        if engine is not self._read_from:  # after it was reopened, it may be another file, or a restored one
            self._positions, self._read_from = {}, engine
        unknown = {worker for worker in workers if worker} - self._positions.keys()
        if unknown:
            with engine.connect() as connection:
                stored = select(DELIVERIES.c.worker, DELIVERIES.c.position).where(DELIVERIES.c.worker.in_(unknown))
                rows = connection.execute(stored).all()
            self._positions |= dict.fromkeys(unknown, 0) | {row.worker: row.position for row in rows}
        return self._positions

    def store(self, connection: Connection, positions: Mapping[str, int], now: float) -> None:
        """Store positions in the transaction that commits the rows up to them."""
        if not positions:
            return
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        # In the same order everywhere, so that two recorders cannot deadlock.
        lines = [{"worker": worker, "position": end, "updated_at": now} for worker, end in sorted(positions.items())]
        statement = insert(DELIVERIES).values(lines)
        new = {name: statement.excluded[name] for name in ("position", "updated_at")}
        connection.execute(statement.on_conflict_do_update(index_elements=[DELIVERIES.c.worker], set_=new))
        if any(self._positions.get(worker) == 0 for worker in positions):
            connection.execute(delete(DELIVERIES).where(DELIVERIES.c.updated_at < now - _FORGET_SECONDS))

    def committed(self, positions: Mapping[str, int]) -> None:
        """Take positions over after their commit."""
        self._positions |= positions

    def forget(self) -> None:
        """Read the positions again, after a commit whose outcome is unknown."""
        self._read_from = None


@dataclass
class RecordBatch:
    """What is written in one transaction: rows of the tables, as mappings from column to value.

    Parameters
    ----------
    predictions, audits
        Rows of the tables of these names.
    counts
        By hour, model version and segment: the number of all rows, recorded or not, and of the outliers among them.
    minutes
        The same by minute.
    """

    predictions: list[dict[str, Any]] = field(default_factory=list)
    audits: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[tuple[int, str, str], tuple[int, int]] = field(default_factory=dict)
    minutes: dict[tuple[int], tuple[int, int]] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """The number of rows, recorded or not."""
        return sum(n_rows for n_rows, _ in self.counts.values())

    def count(self, seconds: float, version: str, segment: str, n_rows: int, n_outliers: int) -> None:
        """Count rows that were answered at a time, recorded or not; seconds since 1970."""
        hour, minute = (int(seconds) // unit * unit for unit in (SECONDS_PER_HOUR, SECONDS_PER_MINUTE))
        rows, outliers = self.counts.get(key := (hour, version, segment), (0, 0))
        self.counts[key] = (rows + n_rows, outliers + n_outliers)
        rows, outliers = self.minutes.get((minute,), (0, 0))
        self.minutes[minute,] = (rows + n_rows, outliers + n_outliers)

    def insert(self, connection: Connection, throttle: Throttle) -> None:
        """Write everything."""
        insert_rows(connection, PREDICTIONS, self.predictions, throttle)
        insert_rows(connection, AUDITS, self.audits, throttle)
        # In the same order everywhere, so that two recorders cannot deadlock.
        for table, counts in ((HOURLY_COUNTS, self.counts.items()), (MINUTE_COUNTS, self.minutes.items())):
            names = table.columns.keys()
            add_to_counts(connection, table, [dict(zip(names, (*k, *n), strict=True)) for k, n in sorted(counts)])
