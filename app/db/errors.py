"""Explains errors of a database: in a sentence for people, and as one of a few reasons for metrics."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Error as SQLiteError

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from app.db.url import SQLITE, DatabaseAddress
from app.db.writer_lock import WrittenByAnother
from app.errors import IsowatchError, RecordsUnavailable
from app.metrics.records import FULL, LOCKED, OTHER, SCHEMA, UNREACHABLE

# A part of SQLite's message, and what to do about it.
_ADVICE = {
    "unable to open": "make its folder writable for the service, or name another file in DATABASE_URL",
    "readonly": "make it and its folder writable",
    "locked": "another process has locked it; try again",
    "opened for writing": "try again",
    "full": "make room on the disk",
    "not a database": "move the file away, or name another in DATABASE_URL",
    "malformed": "restore it from a backup",
}

_SQLITE_ADVICE, _POSTGRESQL_ADVICE = "check the disk", "check the server, or correct DATABASE_URL"


@contextmanager
def refusing_in_words(address: DatabaseAddress) -> Iterator[None]:
    """Convert errors of the database or the file system to a sentence for people.

    Raises
    ------
    RecordsUnavailable
        In place of any error of the database.
    """
    try:
        yield
    except (SQLAlchemyError, SQLiteError, OSError) as error:
        raise RecordsUnavailable(explain(error, address)) from error


def explain(error: Exception, address: DatabaseAddress) -> str:
    """Return what is wrong and what to do, without the statement, its values and the password.

    Parameters
    ----------
    error
        An error of SQLAlchemy, the driver or the file system.
    address
        The database.

    Examples
    --------
    >>> explain(SQLiteError("database or disk is full"), DatabaseAddress("sqlite:///records.db"))
    'records.db cannot be used (database or disk is full): make room on the disk.'
    """
    reason = _innermost_reason(error)
    if address.kind == SQLITE:
        advice = next((advice for words, advice in _ADVICE.items() if words in reason), _SQLITE_ADVICE)
    else:
        advice = _POSTGRESQL_ADVICE
    return f"{address} cannot be used ({reason}): {advice}."


def _innermost_reason(error: BaseException) -> str:
    """Return the message of the innermost error: of the server, the driver or the kernel."""
    while True:
        inner = error.orig if isinstance(error, DBAPIError) else error.__cause__
        if inner is None:
            break
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    details = error.args[0] if error.args else ""
    # An error of a PostgreSQL server is a table of fields, of which M is the message.
    message = details.get("M", "") if isinstance(details, dict) else str(details)
    return " ".join(message.split()) or type(error).__name__


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

# PostgreSQL's error codes, or the two characters of their class.
_POSTGRESQL_REASONS = {
    "53100": FULL,
    "55P03": LOCKED,  # lock timeout
    "57014": LOCKED,  # statement timeout
    "40": LOCKED,  # a deadlock, or a transaction that must be repeated
    "08": UNREACHABLE,
    "28": UNREACHABLE,  # authorization failed
    "3D": UNREACHABLE,
    "53": UNREACHABLE,  # too many connections
    "57": UNREACHABLE,  # shutting down or starting
    "25": UNREACHABLE,  # a read-only standby
    "42": SCHEMA,
}

# Classes of errors about values and constraints: the same rows would fail forever.
_FAULTS_OF_ROWS = ("22", "23")


def reason_of(error: BaseException) -> str:
    """Return why the database failed: one of ``REASONS``."""
    if isinstance(error, WrittenByAnother):
        return LOCKED
    if isinstance(error, RecordsUnavailable):
        # Without a cause, the database works but does not hold the expected tables.
        return reason_of(error.__cause__) if error.__cause__ is not None else SCHEMA
    if isinstance(error, DBAPIError):
        return _reason_of_driver(error.orig)
    if isinstance(error, sqlite3.Error):
        return _reason_of_driver(error)
    if isinstance(error, OSError):
        return FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else UNREACHABLE
    return OTHER


def is_fault_of_rows(error: Exception) -> bool:
    """Return whether the same rows would fail again even if the database works."""
    if isinstance(error, DBAPIError):
        original = error.orig
        if isinstance(original, sqlite3.Error):
            return isinstance(original, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.InterfaceError)
        return _sqlstate(original)[:2] in _FAULTS_OF_ROWS
    # Raised before the database was reached: the rows cannot even be sent.
    return isinstance(error, StatementError) or not isinstance(error, SQLAlchemyError | IsowatchError | OSError)


def _reason_of_driver(error: BaseException | None) -> str:
    """Return the reason of a driver's error."""
    if isinstance(error, sqlite3.Error):
        return _SQLITE_REASONS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, OTHER)
    code = _sqlstate(error)
    if not code:  # no answer from the server
        return UNREACHABLE
    return _POSTGRESQL_REASONS.get(code) or _POSTGRESQL_REASONS.get(code[:2], OTHER)


def _sqlstate(error: BaseException | None) -> str:
    """Return the error code in what pg8000 raises; empty if the server sent none."""
    details = error.args[0] if error is not None and error.args else None
    return str(details.get("C", "")) if isinstance(details, dict) else ""
