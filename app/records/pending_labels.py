"""Pending labels: given before their record was written, and stored until it appears or cannot appear any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, RowMapping, delete, func, insert, select

from app.db.tables import PENDING_LABELS, WRITERS
from app.records.labels import GivenLabel, store_labels
from app.records.lookup import RowName, find_rows

# A recorder reports its progress at least once a minute. After this long without a report, it was killed.
_ALIVE_SECONDS = 300.0

# A transaction of some ten milliseconds; the rest follows a second later.
_BATCH_LABELS = 500

# A record is written within a second, or after the database was down; later than this it never will be.
_MAX_AGE_SECONDS = 3600.0


def add_pending(connection: Connection, labels: Sequence[GivenLabel]) -> list[int]:
    """Store pending labels and return the number of each; a repetition of its row's last one is not stored again."""
    last = _find_last(connection, labels)
    new: list[GivenLabel] = []
    # The number of a label that is pending already, or the position in ``new``.
    found: list[tuple[int | None, int]] = []
    for label in labels:
        row = (label.request_id, label.row)
        if row not in last or last[row].contents != _contents(label):
            last[row] = _Last(_contents(label), None, len(new))
            new.append(label)
        found.append((last[row].number, last[row].place))
    added: Sequence[int] = []
    if new:
        adding = insert(PENDING_LABELS).returning(PENDING_LABELS.c.id, sort_by_parameter_order=True)
        added = connection.execute(adding, [asdict(label) for label in new]).scalars().all()
    return [added[place] if number is None else number for number, place in found]


def list_pending(connection: Connection, request_ids: Sequence[str]) -> list[GivenLabel]:
    """Return the pending labels of some ids, in the order in which they were given."""
    statement = select(PENDING_LABELS).where(PENDING_LABELS.c.request_id.in_(request_ids)).order_by(PENDING_LABELS.c.id)
    return [
        GivenLabel(*(line[name] for name in GivenLabel.__dataclass_fields__))
        for line in connection.execute(statement).mappings()
    ]


def withdraw_pending(connection: Connection, rows: Collection[RowName], given_by: str | None) -> set[RowName]:
    """Delete the pending labels that one person gave to rows; return which rows had any."""
    label = PENDING_LABELS.c
    of_ids = label.request_id.in_({row.request_id for row in rows})
    found = select(label.id, label.request_id, label.row).where(of_ids, label.given_by.is_not_distinct_from(given_by))
    own = [line for line in connection.execute(found) if RowName(line.request_id, line.row) in rows]
    remove_pending(connection, [line.id for line in own])
    return {RowName(line.request_id, line.row) for line in own}


def still_pending(connection: Connection, labels: Mapping[int, GivenLabel]) -> set[int]:
    """Return the numbers of those labels that are still pending.

    SQLite reuses the number of a label that was removed, so the contents are compared as well.
    """
    statement = select(PENDING_LABELS).where(PENDING_LABELS.c.id.in_(list(labels)))
    return {
        line["id"]
        for line in connection.execute(statement).mappings()
        if _contents_of_line(line) == _contents(labels[line["id"]])
    }


def remove_pending(connection: Connection, numbers: Collection[int]) -> set[int]:
    """Remove pending labels; return the numbers of those that no other process had removed before."""
    statement = delete(PENDING_LABELS).where(PENDING_LABELS.c.id.in_(numbers)).returning(PENDING_LABELS.c.id)
    return set(connection.execute(statement).scalars())


def is_all_written_until(connection: Connection, timestamp: float, now: float, *, expects_recorder: bool) -> bool:
    """Return whether every live recorder has written all rows that were answered before a timestamp.

    Parameters
    ----------
    connection
        To the database of records.
    timestamp, now
        Seconds since 1970.
    expects_recorder
        Whether there should be a recorder. If so and none is alive, one is starting, and rows are pending. If not,
        there is nothing left to write.
    """
    written = select(WRITERS.c.written_until >= timestamp)
    alive = written.where(WRITERS.c.stopped_at.is_(None), WRITERS.c.updated_at > now - _ALIVE_SECONDS)
    all_written = connection.execute(alive).scalars().all()
    return all(all_written) if all_written else not expects_recorder


_Contents = tuple[str, int, int, str, str]


def _contents(label: GivenLabel) -> _Contents:
    """Return the contents of a label without its time."""
    return label.request_id, label.row, label.is_inlier, label.source, label.note


def _contents_of_line(line: RowMapping) -> _Contents:
    """Return the same for a row of the table."""
    return line["request_id"], line["row"], line["is_inlier"], line["source"], line["note"]


@dataclass(frozen=True)
class _Last:
    """The last label of a row: the number of a pending one, or the position among the new ones."""

    contents: _Contents
    number: int | None
    place: int = 0


def _find_last(connection: Connection, labels: Sequence[GivenLabel]) -> dict[tuple[str, int], _Last]:
    """Find the last pending label of each row."""
    ids = {label.request_id for label in labels}
    statement = select(PENDING_LABELS).where(PENDING_LABELS.c.request_id.in_(ids)).order_by(PENDING_LABELS.c.id)
    return {
        (line["request_id"], line["row"]): _Last(_contents_of_line(line), line["id"])
        for line in connection.execute(statement).mappings()
    }


@dataclass(frozen=True)
class ReconciledLabel:
    """A pending label whose record was found.

    Parameters
    ----------
    predicted, label
        The predicted and the true label: 1 inlier, -1 outlier.
    age_seconds
        From the answer to the label.
    """

    predicted: int
    label: int
    age_seconds: float


def count_pending_labels(connection: Connection) -> int:
    """Count the pending labels."""
    return connection.scalar(select(func.count()).select_from(PENDING_LABELS)) or 0


def reconcile_labels(connection: Connection, now: float) -> tuple[list[ReconciledLabel], int]:
    """Store pending labels whose record is there by now, and drop those that have been pending for an hour.

    Parameters
    ----------
    connection
        In a transaction of :func:`app.db.engine.write_transaction`.
    now
        Seconds since 1970.

    Returns
    -------
    The labels that were stored, and the number of those dropped.
    """
    # The newest, so that labels without a record do not block others; in the order in which they were given.
    newest = select(PENDING_LABELS).order_by(PENDING_LABELS.c.id.desc()).limit(_BATCH_LABELS).subquery()
    lines = connection.execute(select(newest).order_by(newest.c.id)).mappings()
    pending = {line["id"]: GivenLabel(*(line[name] for name in GivenLabel.__dataclass_fields__)) for line in lines}
    found = find_rows(connection, [RowName(label.request_id, label.row) for label in pending.values()])
    ready = [number for number, label in pending.items() if RowName(label.request_id, label.row) in found]
    # A worker may just have removed one itself.
    ours = remove_pending(connection, ready)
    labels = [(found[RowName(pending[n].request_id, pending[n].row)], pending[n]) for n in ready if n in ours]
    are_stored = store_labels(connection, labels)
    reconciled = [
        ReconciledLabel(row.is_inlier, label.is_inlier, label.given_at - row.answered_at)
        for (row, label), is_stored in zip(labels, are_stored, strict=True)
        if is_stored
    ]
    is_old = PENDING_LABELS.c.given_at < now - _MAX_AGE_SECONDS
    return reconciled, connection.execute(delete(PENDING_LABELS).where(is_old)).rowcount
