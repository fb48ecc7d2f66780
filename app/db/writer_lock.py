"""Lets one recorder at a time write into an SQLite file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from app.db.url import SQLITE, DatabaseAddress
from app.errors import RecordsUnavailable

# Beside the database; SQLite's own locks are held for a transaction only.
_ENDING = ".writer"


class WrittenByAnother(RecordsUnavailable):
    """Another recorder writes into the file."""


class WriterLock:
    """The right to write into a database; the kernel gives it back when this process ends, however it ends.

    PostgreSQL takes any number of writers.

    Parameters
    ----------
    address
        The database.
    """

    def __init__(self, address: DatabaseAddress) -> None:
        self._address = address
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or keep it.

        Raises
        ------
        WrittenByAnother
            If another process has it; the message says what to do.
        OSError
            If the folder cannot be made or written.
        """
        if self._address.kind != SQLITE or self._file is not None:
            return
        path = Path(f"{self._address.file}{_ENDING}")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            raise WrittenByAnother(
                f"Another replica writes records into {self._address}: several replicas need PostgreSQL, named in "
                "DATABASE_URL; this one records nothing while that one runs."
            ) from None
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
