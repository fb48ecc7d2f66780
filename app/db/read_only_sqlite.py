"""Read-only access to an SQLite file that nobody writes, in a folder where this process may not write.

SQLite needs two more files to read a database in WAL mode. The last process that closes the database removes them, and
a process that may not write to the folder cannot create them. Such a process must open the file as immutable. SQLite
skips change detection for such a file, so we check.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

# A writer creates this file before it does anything else, and removes it when it closes the database.
_WRITE_AHEAD_LOG = "-wal"


def is_read_only(file: Path) -> bool:
    """Return whether the file exists and this process cannot create files beside it."""
    return file.exists() and not os.access(file.absolute().parent, os.W_OK)


def connect_read_only(file: Path, address: str, **arguments: Any) -> sqlite3.Connection:
    """Connect if :func:`is_read_only` holds; for one transaction, as another process may start to write.

    Parameters
    ----------
    file
        The database.
    address
        The same as a URI of SQLite, with a query.
    arguments
        Further arguments of ``sqlite3.connect``.
    """
    before = _read_state(file)
    if before is None:
        plain: sqlite3.Connection = sqlite3.connect(address, uri=True, **arguments)
        return plain
    connection: ReadOnlyConnection = sqlite3.connect(
        f"{address}&immutable=1", uri=True, factory=ReadOnlyConnection, **arguments
    )
    connection.watch(file, before)
    return connection


class ReadOnlyConnection(sqlite3.Connection):
    """A connection to a file that must not change while it is open."""

    _file: Path | None = None
    _before: tuple[int, ...] | None = None

    def watch(self, file: Path, before: tuple[int, ...]) -> None:
        """Store the file, and its state before it was opened."""
        self._file, self._before = file, before

    def rollback(self) -> None:
        """End a read-only transaction.

        Raises
        ------
        sqlite3.OperationalError
            If another process started to write meanwhile: what was read may be inconsistent. Raised once.
        """
        super().rollback()
        file, self._file = self._file, None
        if file is not None and _read_state(file) != self._before:
            raise sqlite3.OperationalError("it was opened for writing while it was read")


def _read_state(file: Path) -> tuple[int, ...] | None:
    """Return the state of a file that nobody writes; None if another process does."""
    if Path(f"{file}{_WRITE_AHEAD_LOG}").exists():
        return None
    stat = file.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
