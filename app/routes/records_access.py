"""The database of records, opened by a worker when one of its routes first needs it."""

from __future__ import annotations

import threading
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

    def engine(self) -> Engine:
        """Give the database.

        Raises
        ------
        RecordsUnavailable
            If records are off, or their database cannot be opened. The message says what to do.
        """
        if not self._settings.record_predictions:
            raise RecordsUnavailable("Records are off: set RECORD_PREDICTIONS to all, or to a share of the inliers.")
        with self._opening:
            if self._engine is None:
                # A worker that is never asked for records need not load SQLAlchemy.
                from app.records.database import open_database

                self._engine = open_database(self._settings.database_url)
            return self._engine

    def close(self) -> None:
        """Close the connections."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
