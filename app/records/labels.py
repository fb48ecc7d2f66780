"""What people say of rows: one label a row counts, and those before it stay as history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from app.db.tables import LABELS
from app.records.lookup import FoundRow, RecordKey, RowName, wanted_keys


@dataclass(frozen=True)
class GivenLabel:
    """A label as it was given.

    Parameters
    ----------
    request_id, row
        Which row: an id that an answer gave, and its number in the request.
    is_inlier
        1 inlier, -1 outlier.
    source, note
        Who says so and why; may be empty.
    given_at
        Seconds since 1970.
    """

    request_id: str
    row: int
    is_inlier: int
    source: str
    note: str
    given_at: float

    @property
    def of(self) -> RowName:
        """The row that it labels, as it was named."""
        return RowName(self.request_id, self.row)

    def adds_nothing_to(self, other: GivenLabel | None) -> bool:
        """Tell whether another label says all of this one but the time.

        An empty source or note says nothing: who repeats a label without them must not erase who gave it, and why.
        """
        return (
            other is not None
            and self.is_inlier == other.is_inlier
            and self.source in ("", other.source)
            and self.note in ("", other.note)
        )


def keep_labels(connection: Connection, labels: Sequence[tuple[FoundRow, GivenLabel]]) -> list[bool]:
    """Keep labels of recorded rows, within a transaction that writes.

    A label that adds nothing to the one that counts is not kept; another one replaces it. A label that is older than
    the one that counts, because it had to wait for its record, goes to the history.

    Parameters
    ----------
    connection
        In a transaction of :func:`app.db.engine.write_transaction`.
    labels
        The rows and their labels, at most a few thousand; of several for one row, in the order of their giving.

    Returns
    -------
    For each label whether it was kept.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        If another process gives one of the rows its first label at the same moment: the transaction is undone, and may
        be tried again.
    """
    ids, counting = _read_labels_that_count(connection, [found.key for found, _ in labels])
    lines: list[dict[str, Any]] = []
    newest: dict[RecordKey, dict[str, Any]] = {}
    ended: dict[float, list[int]] = defaultdict(list)
    kept = []
    for found, label in labels:
        key, stood = found.key, counting.get(found.key)
        kept.append(not label.adds_nothing_to(stood))
        if not kept[-1]:
            continue
        lines.append(line := _lay_out(key, label))
        if stood is not None and label.given_at < stood.given_at:
            line["replaced_at"] = stood.given_at
            continue
        if key in newest:
            newest[key]["replaced_at"] = label.given_at
        elif key in ids:
            ended[label.given_at].append(ids[key])
        newest[key], counting[key] = line, label
    for at, of_these in ended.items():
        connection.execute(update(LABELS).where(LABELS.c.id.in_(of_these)).values(replaced_at=at))
    if lines:
        # Everybody in the same order, so that nobody waits in a circle.
        lines.sort(key=lambda line: (line["record_id"], line["row"]))
        connection.execute(insert(LABELS).values(lines))
    return kept


def _read_labels_that_count(
    connection: Connection, keys: Sequence[RecordKey]
) -> tuple[dict[RecordKey, int], dict[RecordKey, GivenLabel]]:
    """Read the labels that count now, and hold them until the transaction ends; by row their ids and what they say."""
    if not keys:
        return {}, {}
    wanted, label = wanted_keys(sorted(set(keys))), LABELS.c
    asked = (
        select(LABELS)
        .select_from(wanted.join(LABELS, and_(label.record_id == wanted.c.record_id, label.row == wanted.c.row)))
        .where(label.replaced_at.is_(None))
        .order_by(label.record_id, label.row)
        .with_for_update(of=LABELS)
    )
    ids, counting = {}, {}
    for line in connection.execute(asked).mappings():
        key = RecordKey(line["record_id"], line["row"])
        ids[key] = line["id"]
        counting[key] = GivenLabel(*key, line["is_inlier"], line["source"], line["note"], line["given_at"])
    return ids, counting


def _lay_out(key: RecordKey, label: GivenLabel) -> dict[str, Any]:
    """Lay a label out as a line of the table."""
    return {
        "record_id": key.record_id,
        "row": key.row,
        "is_inlier": label.is_inlier,
        "source": label.source,
        "note": label.note,
        "given_at": label.given_at,
        "replaced_at": None,
    }
