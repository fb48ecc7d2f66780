"""Finds recorded rows by the id that a caller has, with one index search each.

An id is looked up as a record id first, then as a request id. Callers and proxies reuse request ids, so one may belong
to several records: the first one is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import CTE, Connection, Integer, ScalarSelect, String, and_, column, select, values

from app.db.ids import RECORD_ID_DIGITS
from app.db.tables import PREDICTIONS, REQUEST_ID_CHARACTERS


class RowName(NamedTuple):
    """A row as a caller names it: an id from an answer, and the index in the request."""

    request_id: str
    row: int


class RecordKey(NamedTuple):
    """The primary key of a recorded row."""

    record_id: str
    row: int


@dataclass(frozen=True)
class FoundRow:
    """A recorded row with what a label is compared with: the time of the answer and the predicted label."""

    key: RecordKey
    answered_at: float
    is_inlier: int


def find_rows(connection: Connection, names: Iterable[RowName]) -> dict[RowName, FoundRow]:
    """Find recorded rows; those without a record are left out.

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
    """Return the id of the record that a record id or request id stands for; None if there is none."""
    own = select(PREDICTIONS.c.record_id).where(PREDICTIONS.c.record_id == request_id).limit(1)
    record_id: str | None = connection.execute(own).scalar()
    return record_id or _find_first_records(connection, [request_id]).get(request_id)


def list_records(connection: Connection, request_id: str, max_records: int) -> list[str]:
    """Return the ids of the records with a request id, oldest first, up to ``max_records``."""
    found: list[str] = []
    # One query per record, as each may have thousands of rows to skip.
    of_request = select(PREDICTIONS.c.record_id).where(PREDICTIONS.c.request_id == request_id)
    while len(found) < max_records:
        later = of_request.where(PREDICTIONS.c.record_id > found[-1]) if found else of_request
        record_id = connection.execute(later.order_by(PREDICTIONS.c.record_id).limit(1)).scalar()
        if record_id is None:
            break
        found.append(record_id)
    return found


def wanted_keys(keys: Sequence[RecordKey]) -> CTE:
    """Return keys as a table to join with: given a list, SQLite would scan the whole table."""
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
    statement = select(recorded.record_id, recorded.row, recorded.answered_at, recorded.is_inlier).select_from(
        wanted.join(PREDICTIONS, and_(recorded.record_id == wanted.c.record_id, recorded.row == wanted.c.row))
    )
    return {
        (key := RecordKey(record_id, row)): FoundRow(key, answered_at, is_inlier)
        for record_id, row, answered_at, is_inlier in connection.execute(statement)
    }


def _find_first_records(connection: Connection, request_ids: Iterable[str]) -> dict[str, str]:
    """Return the first record of each request id."""
    if not (listed := [(request_id,) for request_id in request_ids]):
        return {}
    wanted = values(column("request_id", String(REQUEST_ID_CHARACTERS)), name="wanted").data(listed).cte("wanted")
    first = _first_record(wanted)
    found = connection.execute(select(wanted.c.request_id, first))
    return {request_id: record_id for request_id, record_id in found if record_id is not None}


def _first_record(wanted: CTE) -> ScalarSelect[str]:
    """Select the first record of each wanted request id."""
    recorded = PREDICTIONS.c
    return (
        select(recorded.record_id)
        .where(recorded.request_id == wanted.c.request_id)
        # In the order of the index, so that its first entry suffices.
        .order_by(recorded.request_id, recorded.record_id)
        .limit(1)
        .correlate(wanted)
        .scalar_subquery()
    )
