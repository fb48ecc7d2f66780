"""Finds recorded rows by the id that a caller has: one search of an index each, however many rows there are.

An id is first taken for a record's own, then for the one that a caller gave its request. Callers and proxies repeat
themselves, so a request id may belong to several records: the first one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import CTE, Connection, Integer, ScalarSelect, String, and_, column, select, values

from app.db.ids import RECORD_ID_DIGITS
from app.db.tables import PREDICTIONS, REQUEST_ID_CHARACTERS


class RowName(NamedTuple):
    """A row as a caller names it: by an id that an answer gave, and its number in the request."""

    request_id: str
    row: int


class RecordKey(NamedTuple):
    """A row as it is recorded."""

    record_id: str
    row: int


@dataclass(frozen=True)
class FoundRow:
    """A recorded row, and what a label is compared with: when it was answered, and what the model said of it."""

    key: RecordKey
    answered_at: float
    is_inlier: int


def find_rows(connection: Connection, names: Iterable[RowName]) -> dict[RowName, FoundRow]:
    """Find the rows of which there is a record.

    Parameters
    ----------
    connection
        To the database of records.
    names
        The rows, at most a few thousand.
    """
    missing = list(dict.fromkeys(names))
    found: dict[RowName, FoundRow] = {}
    as_records = [name for name in missing if len(name.request_id) == RECORD_ID_DIGITS]
    by_key = _read_rows(connection, [RecordKey(*name) for name in as_records])
    found |= {name: by_key[RecordKey(*name)] for name in as_records if RecordKey(*name) in by_key}
    missing = [name for name in missing if name not in found]
    first = _find_first_records(connection, {name.request_id for name in missing})
    keys = {name: RecordKey(first[name.request_id], name.row) for name in missing if name.request_id in first}
    by_key = _read_rows(connection, list(keys.values()))
    return found | {name: by_key[key] for name, key in keys.items() if key in by_key}


def find_record(connection: Connection, request_id: str) -> str | None:
    """Give the id of the record that an id stands for; None if there is none."""
    own = select(PREDICTIONS.c.record_id).where(PREDICTIONS.c.record_id == request_id).limit(1)
    record_id: str | None = connection.execute(own).scalar()
    return record_id or _find_first_records(connection, [request_id]).get(request_id)


def list_records(connection: Connection, request_id: str, most: int) -> list[str]:
    """List the ids of the records that a caller gave the same request id, the oldest first, up to ``most``."""
    found: list[str] = []
    # From one to the next: each may have thousands of rows, which nobody wants to pass.
    of_request = select(PREDICTIONS.c.record_id).where(PREDICTIONS.c.request_id == request_id)
    while len(found) < most:
        later = of_request.where(PREDICTIONS.c.record_id > found[-1]) if found else of_request
        record_id = connection.execute(later.order_by(PREDICTIONS.c.record_id).limit(1)).scalar()
        if record_id is None:
            break
        found.append(record_id)
    return found


def wanted_keys(keys: Sequence[RecordKey]) -> CTE:
    """Make a table of keys to join with: SQLite scans where it is given them as a list."""
    return (
        values(column("record_id", String(RECORD_ID_DIGITS)), column("row", Integer), name="wanted")
        .data(list(keys))
        .cte("wanted")
    )


def _read_rows(connection: Connection, keys: Sequence[RecordKey]) -> dict[RecordKey, FoundRow]:
    """Read rows by the primary key."""
    if not keys:
        return {}
    wanted, recorded = wanted_keys(keys), PREDICTIONS.c
    asked = select(recorded.record_id, recorded.row, recorded.answered_at, recorded.is_inlier).select_from(
        wanted.join(PREDICTIONS, and_(recorded.record_id == wanted.c.record_id, recorded.row == wanted.c.row))
    )
    return {
        (key := RecordKey(record_id, row)): FoundRow(key, answered_at, is_inlier)
        for record_id, row, answered_at, is_inlier in connection.execute(asked)
    }


def _find_first_records(connection: Connection, request_ids: Iterable[str]) -> dict[str, str]:
    """Map the ids that callers gave to the first record of each."""
    if not (listed := [(request_id,) for request_id in request_ids]):
        return {}
    wanted = values(column("request_id", String(REQUEST_ID_CHARACTERS)), name="wanted").data(listed).cte("wanted")
    first = _first_record(wanted)
    asked = select(wanted.c.request_id, first)
    return {request_id: record_id for request_id, record_id in connection.execute(asked) if record_id is not None}


def _first_record(wanted: CTE) -> ScalarSelect[str]:
    """Select the first record of each wanted request id."""
    recorded = PREDICTIONS.c
    return (
        select(recorded.record_id)
        .where(recorded.request_id == wanted.c.request_id)
        # In the order of the index, of which the first entry is then enough.
        .order_by(recorded.request_id, recorded.record_id)
        .limit(1)
        .correlate(wanted)
        .scalar_subquery()
    )
