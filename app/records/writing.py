"""What is written in one transaction: recorded rows, drawn rows, and the counts of all rows.

What the rows of each model version consist of; without it nobody could tell what recorded numbers mean.

The model versions whose features are noted in the database, and those that are still to be.

The kinds of callers that are told apart: the first so many that came; all later ones are one.

How far each recorder has come: what a worker looks at before it calls a request id unknown.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from app.db.bulk_insert import add_to_counts, insert_rows
from app.db.engine import write_transaction
from app.db.tables import AUDITS, HOURLY_COUNTS, MODEL_VERSIONS, PREDICTIONS, SEGMENTS, WRITERS
from app.db.throttle import Throttle
from app.errors import InvalidBundle
from app.model.bundle import Bundle, read_manifest


def note_version(connection: Connection, version: str, name: str, feature_names: Sequence[str]) -> None:
    """Note a version at its first sight; later ones change nothing.

    Parameters
    ----------
    connection
        Of a transaction.
    version, name
        Of the model.
    feature_names
        In the order of a row's numbers.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    noted = insert(MODEL_VERSIONS).values(
        version=version, name=name, feature_names=json.dumps(list(feature_names)), first_seen_at=time.time()
    )
    connection.execute(noted.on_conflict_do_nothing())


class KnownVersions:
    """Notes versions when they go live, and those that rows name before the recorder itself has noticed them.

    Parameters
    ----------
    model_dir
        The folder of bundles.
    """

    def __init__(self, model_dir: Path) -> None:
        self._model_dir = model_dir
        self._noted: set[str] = set()
        self._noted_in: Engine | None = None
        # By version: the name of the model, and its features'. Another thread adds to it.
        self._to_note: dict[str, tuple[str, tuple[str, ...]]] = {}

    def follow(self, bundle: Bundle) -> None:
        """Remember a version to be noted; may be called by another thread."""
        self._to_note[bundle.version] = (bundle.name, bundle.features.names)

    def note(self, engine: Engine, versions: Iterable[str] = ()) -> None:
        """Note what is to be noted, and versions that rows name."""
        if engine is not self._noted_in:  # opened again, it may be another file, or one that was restored
            self._noted, self._noted_in = set(), engine
        for version in set(versions) - self._noted - self._to_note.keys():
            self._read(version)
        for version, (name, features) in list(self._to_note.items()):
            if version not in self._noted:
                with engine.begin() as connection:
                    note_version(connection, version, name, features)
                self._noted.add(version)

    def _read(self, version: str) -> None:
        """Read in the bundle's own folder what a version consists of."""
        try:
            manifest = read_manifest(self._model_dir / version)
            self._to_note[version] = (manifest["name"], tuple(feature["name"] for feature in manifest["features"]))
        except (InvalidBundle, KeyError, TypeError):
            self._noted.add(version)  # it has gone; if it goes live, it is not looked for here


# What later segments are called; a caller that calls itself so is among them.
OTHER_SEGMENTS = "other"


class KnownSegments:
    """The segments that have a name of their own. The table remembers them over restarts.

    Parameters
    ----------
    most
        How many there are at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: frozenset[str] = frozenset()
        self._read_from: Engine | None = None

    def learn(self, engine: Engine, asked: Iterable[str]) -> None:
        """Give new segments a name of their own, as long as there is room."""
        if engine is not self._read_from:  # opened again, it may be another file, or one that was restored
            self._names = frozenset()
        # No segment is none of them.
        new = {name for name in asked if name} - self._names
        if engine is self._read_from and (not new or len(self._names) >= self._most):
            return
        with write_transaction(engine) as connection:
            _let_nobody_else_add(connection)
            names = set(connection.scalars(select(SEGMENTS.c.name)))
            room = max(0, self._most - len(names))
            # In a fixed order, so that two runs over the same rows give the same.
            added = sorted(new - names)[:room]
            if added:
                now = time.time()
                connection.execute(insert(SEGMENTS), [{"name": name, "first_seen_at": now} for name in added])
        self._names, self._read_from = frozenset(names.union(added)), engine

    def name(self, given: str) -> str:
        """Tell under which name a segment is recorded; empty stays empty."""
        return given if not given or given in self._names else OTHER_SEGMENTS


def _let_nobody_else_add(connection: Connection) -> None:
    """Wait for other recorders, so that together they do not add too many; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {SEGMENTS.name} IN SHARE ROW EXCLUSIVE MODE"))


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


@dataclass
class RecordBatch:
    """Rows of the tables, as mappings from column to value.

    Parameters
    ----------
    predictions, audits
        Of the tables of these names.
    counts
        By hour, model version and segment: all rows, and the outliers among them.
    """

    predictions: list[dict[str, Any]] = field(default_factory=list)
    audits: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[tuple[int, str, str], tuple[int, int]] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """How many rows it is about, recorded or not."""
        return sum(n_rows for n_rows, _ in self.counts.values())

    def count(self, hour: int, version: str, segment: str, n_rows: int, n_outliers: int) -> None:
        """Count rows, recorded or not."""
        rows, outliers = self.counts.get(key := (hour, version, segment), (0, 0))
        self.counts[key] = (rows + n_rows, outliers + n_outliers)

    def insert(self, connection: Connection, pace: Throttle) -> None:
        """Write all of it."""
        insert_rows(connection, PREDICTIONS, self.predictions, pace)
        insert_rows(connection, AUDITS, self.audits, pace)
        # In one order everywhere, so that two recorders never wait for each other.
        counted = [
            dict(zip(HOURLY_COUNTS.columns.keys(), (*key, *numbers), strict=True))
            for key, numbers in sorted(self.counts.items())
        ]
        add_to_counts(connection, HOURLY_COUNTS, counted)
