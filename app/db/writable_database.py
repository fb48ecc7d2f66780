"""The database as the recorder uses it: opened when that is possible, locked for one writer, and upgraded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from app.db.engine import open_database, upgrade_database
from app.db.errors import explain, refusing_in_words
from app.db.url import SQLITE, DatabaseAddress
from app.db.writer_lock import WriterLock
from app.errors import IsowatchError, RecordsUnavailable

log = logging.getLogger(__name__)


class WritableDatabase:
    """Opens the database at its first use, and again after it was lost.

    Parameters
    ----------
    address
        The ``DATABASE_URL``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock: WriterLock | None = None
        self._engine: Engine | None = None
        self._file: tuple[int, int] | None = None

    def open(self) -> Engine:
        """Return the database, ready to be written.

        Raises
        ------
        InvalidSetting
            If the address names no database.
        RecordsUnavailable
            If it cannot be used now.
        """
        named = DatabaseAddress(self._address)
        is_file = named.kind == SQLITE
        # Also after an error has closed the connections: the file may have gone in the middle of a write.
        if self._file is not None and named.identify_file() != self._file:
            log.error(
                "the database %s %s while it was in use: earlier records are not in it; restore them from where they "
                "went or from a backup, with the service stopped",
                named,
                "was deleted or moved away" if named.identify_file() is None else "was replaced by another file",
            )
            self.release()  # the lock file may have been moved with the folder, too
        if self._engine is None:
            if self._lock is None:
                self._lock = WriterLock(named)
            with refusing_in_words(named):
                self._lock.acquire()
            self._engine = self._open_or_upgrade()
            self._file = named.identify_file() if is_file else None
        return self._engine

    @contextmanager
    def open_unlocked(self) -> Iterator[Engine]:
        """Open the database for a row or two while another recorder writes to it."""
        engine = open_database(self._address)
        try:
            yield engine
        finally:
            engine.dispose()

    def explain(self, error: Exception) -> str:
        """Return a sentence that explains an error of the database."""
        return str(error) if isinstance(error, IsowatchError) else explain(error, DatabaseAddress(self._address))

    def close(self) -> None:
        """Close the connections; the next use opens new ones. The lock stays held."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def release(self) -> None:
        """Close the connections, and let another recorder write."""
        self.close()
        self._file = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _open_or_upgrade(self) -> Engine:
        """Open it. An upgrade waits for other processes, so it is tried only if needed."""
        try:
            return open_database(self._address)
        except RecordsUnavailable:
            upgrade_database(self._address)
            return open_database(self._address)
