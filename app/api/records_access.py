"""A worker's access to the database of records: opened on first use, and never blocking predictions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.errors import InvalidSetting, RecordsBusy, RecordsUnavailable
from app.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)

# An attempt to reach a server that is down may block a thread for seconds. So after a failed attempt, no other is made
# for ten times as long, but at most 5 s, so that recovery is noticed soon. A missing file fails at once and may be
# tried again at once.
_BACKOFF_FACTOR, _MAX_BACKOFF_SECONDS = 10, 5.0

# As long as we wait for a locked SQLite file.
_SLOT_SECONDS = 1.0


class RecordsAccess:
    """The database of records, as the routes of one process use it.

    A worker has few threads, and the database may be slow: at least one thread is always kept free for predictions.

    Parameters
    ----------
    settings
        The address of the database, whether answers are recorded, and the number of threads of a worker.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        spare = settings.worker_threads - 1
        self._slots = threading.BoundedSemaphore(max(1, spare))
        self._waiting_slots = threading.BoundedSemaphore(spare) if spare else None
        self._engine: Engine | None = None
        self._retry_at = float("-inf")
        self._is_failing = False

    @contextmanager
    def use(self) -> Iterator[Engine]:
        """Open the database if needed, and lend its engine for one short operation.

        Raises
        ------
        RecordsUnavailable
            If records are off, or the database cannot be opened.
        RecordsBusy
            If it is locked or unreachable, or if no more threads may use it.
        """
        if not self._settings.record_predictions:
            raise RecordsUnavailable("Records are off: set RECORD_PREDICTIONS to all, or to a share.")
        if not self._slots.acquire(timeout=_SLOT_SECONDS):
            raise RecordsBusy("Other requests are using the records: try again.")
        try:
            engine = self._engine or self._open()
            # Imported here, because it takes longer to load than the service takes to start.
            from sqlalchemy.exc import SQLAlchemyError

            try:
                yield engine
            except (SQLAlchemyError, OSError) as error:
                self._log_failure(str(getattr(error, "orig", error)))
                raise RecordsBusy("The database of records is unavailable at the moment: try again.") from error
            self._is_failing = False
        finally:
            self._slots.release()

    @contextmanager
    def waiting_slot(self) -> Iterator[bool]:
        """Yield whether a request may wait for a while; it may not if no thread would be left for others."""
        may_wait = self._waiting_slots is not None and self._waiting_slots.acquire(blocking=False)
        try:
            yield may_wait
        finally:
            if may_wait and self._waiting_slots is not None:
                self._waiting_slots.release()

    def close(self) -> None:
        """Close every connection."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _open(self) -> Engine:
        """Open the database, unless an attempt has just failed."""
        if time.monotonic() < self._retry_at:
            raise RecordsBusy("The database of records could not be opened a moment ago: try again.")
        from app.db.engine import open_database

        started = time.monotonic()  # after the import, which takes long the first time
        try:
            self._engine = open_database(self._settings.database_url)
        except (RecordsUnavailable, InvalidSetting) as error:
            ended = time.monotonic()
            self._retry_at = ended + min(_BACKOFF_FACTOR * (ended - started), _MAX_BACKOFF_SECONDS)
            self._log_failure(str(error))
            raise RecordsBusy("The database of records cannot be opened; the log says why.") from error
        return self._engine

    def _log_failure(self, reason: str) -> None:
        """Log why the database cannot be used, once until it works again."""
        if not self._is_failing:
            self._is_failing = True
            log.warning("records cannot be used: %s", reason)
