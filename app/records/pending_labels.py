"""Labels of rows that are not recorded yet: they wait until the record comes, or until it is sure that none will.

Lets labels that came before their record count, once it is written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, RowMapping, delete, func, insert, select

from app.db.tables import PENDING_LABELS, WRITERS
from app.records.labels import GivenLabel, keep_labels
from app.records.lookup import RowName, find_rows

# A recorder that has not said for so long how far it has come has been killed: it writes once a minute at least.
_LIVES_SECONDS = 300.0


def add_pending(connection: Connection, labels: Sequence[GivenLabel]) -> list[int]:
    """Keep labels until their records come, and give each one's number; a repeat of the last of its row is none."""
    last = _find_last(connection, labels)
    new: list[GivenLabel] = []
    # The number of a label that waits already, or the place in ``new`` of one that will.
    found: list[tuple[int | None, int]] = []
    for label in labels:
        row = (label.request_id, label.row)
        if row not in last or last[row].says != _what_it_says(label):
            last[row] = _Last(_what_it_says(label), None, len(new))
            new.append(label)
        found.append((last[row].number, last[row].place))
    added: Sequence[int] = []
    if new:
        adding = insert(PENDING_LABELS).returning(PENDING_LABELS.c.id, sort_by_parameter_order=True)
        added = connection.execute(adding, [asdict(label) for label in new]).scalars().all()
    return [added[place] if number is None else number for number, place in found]


def list_pending(connection: Connection, request_ids: Sequence[str]) -> list[GivenLabel]:
    """List the labels that wait for the records of some ids, in the order of their giving."""
    asked = select(PENDING_LABELS).where(PENDING_LABELS.c.request_id.in_(request_ids)).order_by(PENDING_LABELS.c.id)
    return [
        GivenLabel(*(line[name] for name in GivenLabel.__dataclass_fields__))
        for line in connection.execute(asked).mappings()
    ]


def still_pending(connection: Connection, labels: Mapping[int, GivenLabel]) -> set[int]:
    """Tell which labels are still waiting, of those that got these numbers.

    SQLite gives the number of a label that waits no longer to another one, so the number alone tells nothing.
    """
    asked = select(PENDING_LABELS).where(PENDING_LABELS.c.id.in_(list(labels)))
    return {
        line["id"]
        for line in connection.execute(asked).mappings()
        if _what_a_line_says(line) == _what_it_says(labels[line["id"]])
    }


def remove_pending(connection: Connection, numbers: Collection[int]) -> set[int]:
    """Take labels out that the same transaction saw waiting, and tell which of them nobody else was faster with."""
    ending = delete(PENDING_LABELS).where(PENDING_LABELS.c.id.in_(numbers)).returning(PENDING_LABELS.c.id)
    return set(connection.execute(ending).scalars())


def everything_is_written_until(connection: Connection, moment: float, now: float, *, expects_recorder: bool) -> bool:
    """Tell whether every recorder that lives has written what was answered before a moment.

    Parameters
    ----------
    connection
        To the database of records.
    moment, now
        Seconds since 1970.
    expects_recorder
        Whether there is to be a recorder: where none lives, one is just starting, and rows wait for it. Without it
        there is nothing that is still to be written.
    """
    written = select(WRITERS.c.written_until >= moment)
    living = written.where(WRITERS.c.stopped_at.is_(None), WRITERS.c.updated_at > now - _LIVES_SECONDS)
    all_written = connection.execute(living).scalars().all()
    return all(all_written) if all_written else not expects_recorder


_Said = tuple[str, int, int, str, str]


def _what_it_says(label: GivenLabel) -> _Said:
    """Give all of a label but its time."""
    return label.request_id, label.row, label.is_inlier, label.source, label.note


def _what_a_line_says(line: RowMapping) -> _Said:
    """Give the same of a line of the table."""
    return line["request_id"], line["row"], line["is_inlier"], line["source"], line["note"]


@dataclass(frozen=True)
class _Last:
    """What was said last of a row, and where: the number of a waiting label, or the place of one that is to wait."""

    says: _Said
    number: int | None
    place: int = 0


def _find_last(connection: Connection, labels: Sequence[GivenLabel]) -> dict[tuple[str, int], _Last]:
    """Find the last waiting label of each row."""
    ids = {label.request_id for label in labels}
    asked = select(PENDING_LABELS).where(PENDING_LABELS.c.request_id.in_(ids)).order_by(PENDING_LABELS.c.id)
    return {
        (line["request_id"], line["row"]): _Last(_what_a_line_says(line), line["id"])
        for line in connection.execute(asked).mappings()
    }


# A transaction of some ten milliseconds; the rest has its turn a second later.
_AT_A_TIME = 500

# A record is written within a second, or after the database was away; later than this it never will be.
_GIVEN_UP_AFTER_SECONDS = 3600.0


@dataclass(frozen=True)
class ReconciledLabel:
    """A label that found its record.

    Parameters
    ----------
    predicted, label
        What the model and the caller say: 1 inlier, -1 outlier.
    age_seconds
        From the answer to the label.
    """

    predicted: int
    label: int
    age_seconds: float


def count_pending_labels(connection: Connection) -> int:
    """Count the labels that wait."""
    return connection.scalar(select(func.count()).select_from(PENDING_LABELS)) or 0


def reconcile_labels(connection: Connection, now: float) -> tuple[list[ReconciledLabel], int]:
    """Let labels count whose record is there by now, and drop those that have waited in vain for an hour.

    Parameters
    ----------
    connection
        In a transaction of :func:`app.db.engine.write_transaction`.
    now
        Seconds since 1970.

    Returns
    -------
    The labels that are new, and the number of those dropped.
    """
    # The newest, as those that never find their record must not stand in the way of others; in the order of giving.
    newest = select(PENDING_LABELS).order_by(PENDING_LABELS.c.id.desc()).limit(_AT_A_TIME).subquery()
    lines = connection.execute(select(newest).order_by(newest.c.id)).mappings()
    waiting = {line["id"]: GivenLabel(*(line[name] for name in GivenLabel.__dataclass_fields__)) for line in lines}
    found = find_rows(connection, [RowName(label.request_id, label.row) for label in waiting.values()])
    ready = [number for number, label in waiting.items() if RowName(label.request_id, label.row) in found]
    # A worker may just have taken one out itself.
    ours = remove_pending(connection, ready)
    labels = [(found[RowName(waiting[n].request_id, waiting[n].row)], waiting[n]) for n in ready if n in ours]
    kept = keep_labels(connection, labels)
    settled = [
        ReconciledLabel(row.is_inlier, label.is_inlier, label.given_at - row.answered_at)
        for (row, label), is_new in zip(labels, kept, strict=True)
        if is_new
    ]
    is_old = PENDING_LABELS.c.given_at < now - _GIVEN_UP_AFTER_SECONDS
    return settled, connection.execute(delete(PENDING_LABELS).where(is_old)).rowcount
