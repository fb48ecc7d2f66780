"""The lock that lets one recorder at a time write to an SQLite file."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from app.db.url import SQLITE, DatabaseAddress
from app.errors import RecordsUnavailable

# A file beside the database: SQLite's own locks last for a transaction only.
_SUFFIX = ".writer"


class WrittenByAnother(RecordsUnavailable):
    """Another recorder writes to the file."""


class WriterLock:
    """The right to write to a database; the kernel releases it when this process ends, however it ends.

    PostgreSQL takes any number of writers and needs no lock.

    Parameters
    ----------
    address
        The database.
    """

    def __init__(self, address: DatabaseAddress) -> None:
        self._address = address
        self._lock: FileLock | None = None

    def acquire(self) -> None:
        """Acquire the lock, unless this process holds it already.

        Raises
        ------
        WrittenByAnother
            If another process holds it.
        OSError
            If the folder cannot be created or written.
        """
        if self._address.kind != SQLITE or self._lock is not None:
            return
        path = Path(f"{self._address.file}{_SUFFIX}")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without flock there is no lock: a substitute would outlive a process that is killed.
        lock = FileLock(path, mode=0o600, blocking=False, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout:
            raise WrittenByAnother(
                f"Another replica writes records to {self._address}: several replicas need PostgreSQL, named in "
                "DATABASE_URL; this one records nothing while that one runs."
            ) from None
        self._lock = lock

    def release(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
