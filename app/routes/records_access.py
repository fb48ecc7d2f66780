"""A worker's way to the database of records, opened when one of its routes first needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.errors import RecordsUnavailable
from app.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


class RecordsAccess:
    """Opens the database once, for all threads of a worker.

    Parameters
    ----------
    settings
        Say where it is, and whether there are records.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = threading.Lock()
        self._engine: Engine | None = None

    @contextmanager
    def use(self) -> Iterator[Engine]:
        """Use the database, for something short.

        Raises
        ------
        RecordsUnavailable
            If records are off, or their database cannot be used. The message says what to do.
        """
        if not self._settings.record_predictions:
            raise RecordsUnavailable("Records are off: set RECORD_PREDICTIONS to all, or to a share.")
        # A worker that is never asked for records need not load SQLAlchemy.
        from app.records.database import open_database
        from app.records.database_address import DatabaseAddress
        from app.records.database_faults import refusing_in_words

        with refusing_in_words(DatabaseAddress(self._settings.database_url)):
            with self._opening:
                self._engine = self._engine or open_database(self._settings.database_url)
            yield self._engine

    def close(self) -> None:
        """Close every connection."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()
