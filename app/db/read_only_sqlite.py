"""Reading an SQLite file that nobody has open, in a folder where this process may not write.

SQLite reads a file in WAL mode by way of two files beside it. The last process that closes it removes both, and whoever
may not write into the folder cannot make them again: to such a reader the file is open only as one that never changes.
SQLite then believes that, so it is looked after here.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

# What a writer makes beside the database before anything else, and removes when it goes.
_WRITE_AHEAD_LOG = "-wal"


def is_read_only(file: Path) -> bool:
    """Tell whether this process cannot make files beside one that is there."""
    return file.exists() and not os.access(file.absolute().parent, os.W_OK)


def connect_read_only(file: Path, address: str, **arguments: Any) -> sqlite3.Connection:
    """Connect where :func:`is_read_only` holds; for a transaction each, as somebody may begin to write.

    Parameters
    ----------
    file
        The database.
    address
        The same as a URI of SQLite, with a query.
    arguments
        What else ``sqlite3.connect`` takes.
    """
    before = _look(file)
    if before is None:
        plain: sqlite3.Connection = sqlite3.connect(address, uri=True, **arguments)
        return plain
    connection: ReadOnlyConnection = sqlite3.connect(
        f"{address}&immutable=1", uri=True, factory=ReadOnlyConnection, **arguments
    )
    connection.watch(file, before)
    return connection


class ReadOnlyConnection(sqlite3.Connection):
    """A connection to a file that is taken to be unchanged while it lasts."""

    _file: Path | None = None
    _before: tuple[int, ...] | None = None

    def watch(self, file: Path, before: tuple[int, ...]) -> None:
        """Remember which file it is, and how it looked before it was opened."""
        self._file, self._before = file, before

    def rollback(self) -> None:
        """End a transaction that has only read.

        Raises
        ------
        sqlite3.OperationalError
            Once, if somebody has begun to write meanwhile: what was read may be half old and half new.
        """
        super().rollback()
        file, self._file = self._file, None
        if file is not None and _look(file) != self._before:
            raise sqlite3.OperationalError("it was opened for writing while it was read")


def _look(file: Path) -> tuple[int, ...] | None:
    """Tell how a file looks that nobody writes; None if somebody does."""
    if Path(f"{file}{_WRITE_AHEAD_LOG}").exists():
        return None
    stat = file.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
