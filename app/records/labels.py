"""True labels of rows: each row has at most one current label; earlier ones stay as history."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update

from app.db.tables import LABELS, NOTES
from app.records.events import LABELLING, count_remarks
from app.records.lookup import FoundRow, RecordKey, RowName, wanted_keys


@dataclass(frozen=True)
class GivenLabel:
    """A label as the caller sent it.

    Parameters
    ----------
    request_id, row
        The row: an id from an answer, and the index in the request.
    is_inlier
        1 inlier, -1 outlier.
    source, note
        Who labelled the row, and why; may be empty.
    given_at
        Seconds since 1970.
    given_by
        The name of the caller's API key; None if it had none.
    """

    request_id: str
    row: int
    is_inlier: int
    source: str
    note: str
    given_at: float
    given_by: str | None = None

    @property
    def of(self) -> RowName:
        """The row that it labels, as the caller named it."""
        return RowName(self.request_id, self.row)

    def adds_nothing_to(self, other: GivenLabel | None) -> bool:
        """Return whether another label has all information of this one, except for the time.

        An empty source or note is no information: repeating a label without them must not erase those of the first.
        The same label by the holder of another key is: two people agree.
        """
        return (
            other is not None
            and self.is_inlier == other.is_inlier
            and self.source in ("", other.source)
            and self.note in ("", other.note)
            and self.given_by in (None, other.given_by)
        )


def store_labels(connection: Connection, labels: Sequence[tuple[FoundRow, GivenLabel]]) -> list[bool]:
    """Store labels of recorded rows, within a transaction that writes.

    A label that adds nothing to the current one is not stored; any other replaces it. A label that is older than the
    current one, because it was pending, goes to the history. The audit trail counts what was stored.

    Parameters
    ----------
    connection
        In a transaction of :func:`app.db.engine.write_transaction`.
    labels
        The rows and their labels, at most a few thousand; several for one row must be in the order of their times.

    Returns
    -------
    For each label whether it was stored.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        If another process gives one of the rows its first label at the same time: the transaction is rolled back and
        may be tried again.
    """
    ids, current = _read_current_labels(connection, [found.key for found, _ in labels])
    lines: list[dict[str, Any]] = []
    newest: dict[RecordKey, dict[str, Any]] = {}
    replaced: dict[float, list[int]] = defaultdict(list)
    are_stored = []
    for found, label in labels:
        key, before = found.key, current.get(found.key)
        are_stored.append(not label.adds_nothing_to(before))
        if not are_stored[-1]:
            continue
        lines.append(line := _to_line(key, label))
        if before is not None and label.given_at < before.given_at:
            line["replaced_at"] = before.given_at
            continue
        if key in newest:
            newest[key]["replaced_at"] = label.given_at
        elif key in ids:
            replaced[label.given_at].append(ids[key])
        newest[key], current[key] = line, label
    for at, ids_at in replaced.items():
        connection.execute(update(LABELS).where(LABELS.c.id.in_(ids_at)).values(replaced_at=at))
    if lines:
        # In the same order everywhere, so that two processes cannot deadlock.
        lines.sort(key=lambda line: (line["record_id"], line["row"]))
        connection.execute(insert(LABELS).values(lines))
    for given_by, n_rows in Counter(line["given_by"] for line in lines).items():
        count_remarks(connection, given_by, LABELLING, n_rows, max(line["given_at"] for line in lines))
    return are_stored


def withdraw_labels(connection: Connection, keys: Sequence[RecordKey], given_by: str | None) -> list[bool]:
    """Delete what one person said about rows, within a transaction that writes.

    Labels of others stay, and the newest of them counts again. A withdrawn label is not even history: it was a mistake,
    and would count as an opinion where two people's labels are compared.

    Parameters
    ----------
    connection
        In a transaction of :func:`app.db.engine.write_transaction`.
    keys
        The rows, at most a thousand.
    given_by
        The name of the person's API key; None for what was said without one.

    Returns
    -------
    For each row whether there was anything.
    """
    if not keys:
        return []
    wanted, said = wanted_keys(sorted(set(keys))), set()
    for table in (LABELS, NOTES):
        column = table.c
        same_row = and_(column.record_id == wanted.c.record_id, column.row == wanted.c.row)
        statement = select(column.id, column.record_id, column.row).select_from(wanted.join(table, same_row))
        own = connection.execute(statement.where(column.given_by.is_not_distinct_from(given_by))).all()
        connection.execute(delete(table).where(column.id.in_([line.id for line in own])))
        said |= {RecordKey(line.record_id, line.row) for line in own}
    _restore_labels(connection, sorted(said))
    return [key in said for key in keys]


def _restore_labels(connection: Connection, keys: Sequence[RecordKey]) -> None:
    """Make the newest label current, where there is none."""
    if not keys:
        return
    wanted, label = wanted_keys(keys), LABELS.c
    same_row = and_(label.record_id == wanted.c.record_id, label.row == wanted.c.row)
    statement = select(LABELS).select_from(wanted.join(LABELS, same_row)).order_by(label.given_at, label.id)
    newest = {RecordKey(line.record_id, line.row): line for line in connection.execute(statement)}
    # A current label is the newest one of its row.
    again = [line.id for line in newest.values() if line.replaced_at is not None]
    connection.execute(update(LABELS).where(label.id.in_(again)).values(replaced_at=None))


def _read_current_labels(
    connection: Connection, keys: Sequence[RecordKey]
) -> tuple[dict[RecordKey, int], dict[RecordKey, GivenLabel]]:
    """Read and lock the current labels; return their ids and their contents, both by row."""
    if not keys:
        return {}, {}
    wanted, label = wanted_keys(sorted(set(keys))), LABELS.c
    statement = (
        select(LABELS)
        .select_from(wanted.join(LABELS, and_(label.record_id == wanted.c.record_id, label.row == wanted.c.row)))
        .where(label.replaced_at.is_(None))
        .order_by(label.record_id, label.row)
        .with_for_update(of=LABELS)
    )
    ids, current = {}, {}
    for line in connection.execute(statement).mappings():
        key = RecordKey(line["record_id"], line["row"])
        ids[key] = line["id"]
        said = (line[name] for name in ("is_inlier", "source", "note", "given_at", "given_by"))
        current[key] = GivenLabel(*key, *said)
    return ids, current


def _to_line(key: RecordKey, label: GivenLabel) -> dict[str, Any]:
    """Convert a label to a row of the table."""
    return {
        "record_id": key.record_id,
        "row": key.row,
        "is_inlier": label.is_inlier,
        "source": label.source,
        "note": label.note,
        "given_at": label.given_at,
        "replaced_at": None,
        "given_by": label.given_by,
    }
