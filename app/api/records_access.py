"""A worker's way to the database of records: opened when first needed, and never in the way of predictions."""

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

# A server that cannot be reached may take seconds to say so, in which a thread answers nobody. So most of the time
# nothing is tried, but somebody who mends it does not wait for long. A missing file is said at once, and tried at once.
_REST_OVER_TRY, _LONGEST_REST_SECONDS = 10, 5.0

# As long as a locked SQLite file is waited for.
_TURN_SECONDS = 1.0


class RecordsAccess:
    """The database of records, as the routes of one process see it.

    Threads of a worker are few, and predictions need them: one is always kept free of the database, which may be slow.

    Parameters
    ----------
    settings
        Say where the database is, whether there are records at all, and how many threads a worker has.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        spare = settings.worker_threads - 1
        self._turns = threading.BoundedSemaphore(max(1, spare))
        self._patience = threading.BoundedSemaphore(spare) if spare else None
        self._engine: Engine | None = None
        self._rests_until = float("-inf")
        self._is_failing = False

    @contextmanager
    def use(self) -> Iterator[Engine]:
        """Use the database, for something short.

        Raises
        ------
        RecordsUnavailable
            If records are off, or the database cannot be opened.
        RecordsBusy
            If it is locked, away, or used by as many threads as may use it.
        """
        if not self._settings.record_predictions:
            raise RecordsUnavailable("Records are off: set RECORD_PREDICTIONS to all, or to a share.")
        if not self._turns.acquire(timeout=_TURN_SECONDS):
            raise RecordsBusy("Others are using the records: try again.")
        try:
            engine = self._engine or self._open()
            # Only now: loading it takes longer than starting the service.
            from sqlalchemy.exc import SQLAlchemyError

            try:
                yield engine
            except (SQLAlchemyError, OSError) as error:
                self._note(str(getattr(error, "orig", error)))
                raise RecordsBusy("The database of records cannot be used for the moment: try again.") from error
            self._is_failing = False
        finally:
            self._turns.release()

    @contextmanager
    def patience(self) -> Iterator[bool]:
        """Say whether a request may wait for a while: not if no thread would be left for others."""
        may_wait = self._patience is not None and self._patience.acquire(blocking=False)
        try:
            yield may_wait
        finally:
            if may_wait and self._patience is not None:
                self._patience.release()

    def close(self) -> None:
        """Close every connection."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _open(self) -> Engine:
        """Open the database, unless that has just failed."""
        if time.monotonic() < self._rests_until:
            raise RecordsBusy("The database of records could not be opened a moment ago: try again.")
        from app.db.engine import open_database

        begun = time.monotonic()  # loading it, the first time, is no fault of the database
        try:
            self._engine = open_database(self._settings.database_url)
        except (RecordsUnavailable, InvalidSetting) as error:
            ended = time.monotonic()
            self._rests_until = ended + min(_REST_OVER_TRY * (ended - begun), _LONGEST_REST_SECONDS)
            self._note(str(error))
            raise RecordsBusy("The database of records cannot be opened; the log says why.") from error
        return self._engine

    def _note(self, reason: str) -> None:
        """Log why the database cannot be used, once until it can."""
        if not self._is_failing:
            self._is_failing = True
            log.warning("records cannot be used: %s", reason)
