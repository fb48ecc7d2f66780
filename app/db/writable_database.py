"""The database as the recorder sees it: opened when it can be, locked for it alone, and brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from app.db.engine import open_database, upgrade_database
from app.db.errors import explain, refusing_in_words
from app.db.url import SQLITE, DatabaseAddress
from app.db.writer_lock import WriterLock
from app.errors import IsowatchError, RecordsUnavailable


class WritableDatabase:
    """Opens the database at its first use, and again after it was lost.

    Parameters
    ----------
    address
        Its ``DATABASE_URL``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock: WriterLock | None = None
        self._engine: Engine | None = None
        self._file: tuple[int, int] | None = None

    def open(self) -> Engine:
        """Give the database, ready to be written.

        Raises
        ------
        InvalidSetting
            If the address names none.
        RecordsUnavailable
            If it cannot be used now.
        """
        named = DatabaseAddress(self._address)
        is_file = named.kind == SQLITE
        if is_file and self._engine is not None and named.identify_file() != self._file:
            self.give_up()  # the lock, too, may have been moved with the folder
        if self._engine is None:
            if self._lock is None:
                self._lock = WriterLock(named)
            with refusing_in_words(named):
                self._lock.acquire()
            self._engine = self._open_or_upgrade()
            self._file = named.identify_file() if is_file else None
        return self._engine

    @contextmanager
    def beside_another(self) -> Iterator[Engine]:
        """Open the database for a note of a line, while another recorder writes into it."""
        engine = open_database(self._address)
        try:
            yield engine
        finally:
            engine.dispose()

    def explain(self, error: Exception) -> str:
        """Say in a sentence what an error of the database means."""
        return str(error) if isinstance(error, IsowatchError) else explain(error, DatabaseAddress(self._address))

    def close(self) -> None:
        """End the connections; the next use opens it anew. The right to write is kept."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def give_up(self) -> None:
        """End the connections, and let another recorder write."""
        self.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _open_or_upgrade(self) -> Engine:
        """Open it; an upgrade waits for other processes, so it is only tried if it is needed."""
        try:
            return open_database(self._address)
        except RecordsUnavailable:
            upgrade_database(self._address)
            return open_database(self._address)
