"""Why the database did not do what it was asked to, in one of a few words that are counted."""

from __future__ import annotations

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from app.errors import IsowatchError, RecordsUnavailable
from app.records.failure_reasons import FULL, LOCKED, OTHER, SCHEMA, UNREACHABLE

# SQLite's primary result codes.
_SQLITE_REASONS = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_CANTOPEN: UNREACHABLE,
    sqlite3.SQLITE_IOERR: UNREACHABLE,
    sqlite3.SQLITE_PERM: UNREACHABLE,
    sqlite3.SQLITE_READONLY: UNREACHABLE,
    sqlite3.SQLITE_ERROR: SCHEMA,  # no such table, no such column
}

# PostgreSQL's codes, or the two characters of their class.
_POSTGRESQL_REASONS = {
    "53100": FULL,
    "55P03": LOCKED,  # a lock was not had in time
    "57014": LOCKED,  # a statement was not finished in time
    "40": LOCKED,  # a deadlock, or a transaction that has to be repeated
    "08": UNREACHABLE,
    "28": UNREACHABLE,  # it does not let us in
    "3D": UNREACHABLE,
    "53": UNREACHABLE,  # it has no room for another connection
    "57": UNREACHABLE,  # it is shutting down or starting
    "25": UNREACHABLE,  # a standby, which takes no writes
    "42": SCHEMA,
}

# Data that cannot be stored, and rows that contradict others: the same rows would fail for ever.
_FAULTS_OF_ROWS = ("22", "23")


def reason_of(error: BaseException) -> str:
    """Tell why the database failed: one of ``REASONS``."""
    if isinstance(error, RecordsUnavailable):
        # Where nothing failed below, the database is well and holds something else than is expected.
        return reason_of(error.__cause__) if error.__cause__ is not None else SCHEMA
    if isinstance(error, DBAPIError):
        return _reason_of_driver(error.orig)
    if isinstance(error, sqlite3.Error):
        return _reason_of_driver(error)
    if isinstance(error, OSError):
        return FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else UNREACHABLE
    return OTHER


def is_fault_of_rows(error: Exception) -> bool:
    """Tell whether the same rows would fail again, however well the database is."""
    if isinstance(error, DBAPIError):
        original = error.orig
        if isinstance(original, sqlite3.Error):
            return isinstance(original, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.InterfaceError)
        return _sqlstate(original)[:2] in _FAULTS_OF_ROWS
    # Where neither the database nor the system said anything, the rows are such that we cannot even ask.
    return isinstance(error, StatementError) or not isinstance(error, SQLAlchemyError | IsowatchError | OSError)


def _reason_of_driver(error: BaseException | None) -> str:
    """Read what the driver says."""
    if isinstance(error, sqlite3.Error):
        return _SQLITE_REASONS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, OTHER)
    code = _sqlstate(error)
    if not code:  # the server said nothing at all
        return UNREACHABLE
    return _POSTGRESQL_REASONS.get(code) or _POSTGRESQL_REASONS.get(code[:2], OTHER)


def _sqlstate(error: BaseException | None) -> str:
    """Find the code in what pg8000 raises; empty if the server did not give one."""
    said = error.args[0] if error is not None and error.args else None
    return str(said.get("C", "")) if isinstance(said, dict) else ""
