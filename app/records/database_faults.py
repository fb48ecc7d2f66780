"""What is wrong with a database, in a sentence for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Error as SQLiteError

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.errors import RecordsUnavailable
from app.records.database_address import SQLITE, DatabaseAddress

# What SQLite says, by a part of its words, and what to do about it.
_ADVICE = {
    "unable to open": "make its folder writable for the service, or name another file in DATABASE_URL",
    "readonly": "make it and its folder writable",
    "locked": "another process holds it; try again",
    "opened for writing": "try again",
    "full": "make room on the disk",
    "not a database": "move the file away, or name another in DATABASE_URL",
    "malformed": "restore it from a backup",
}

_SQLITE_ADVICE, _POSTGRESQL_ADVICE = "see to the disk", "see to the server, or correct DATABASE_URL"


@contextmanager
def refusing_in_words(address: DatabaseAddress) -> Iterator[None]:
    """Turn what a database or the file system refuses into a sentence.

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
    """Say what is wrong and what to do, without the statement, the values and the password.

    Parameters
    ----------
    error
        What SQLAlchemy, the driver or the file system raised.
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
    """Find the words of whoever refused first: the server, the driver or the kernel."""
    while True:
        inner = error.orig if isinstance(error, DBAPIError) else error.__cause__
        if inner is None:
            break
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    told = error.args[0] if error.args else ""
    # A PostgreSQL server's refusal is a table of fields, of which M is the message.
    words = told.get("M", "") if isinstance(told, dict) else str(told)
    return " ".join(words.split()) or type(error).__name__
