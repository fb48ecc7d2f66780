"""The scores of recorded answers of one forest, from which the alarms of any threshold follow without scoring again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from app.db.engine import open_database
from app.db.errors import refusing_in_words
from app.db.ids import first_id_at
from app.db.tables import PREDICTIONS
from app.db.url import DatabaseAddress
from app.errors import InvalidChoice
from app.records.timestamps import SECONDS_PER_DAY

# A few hours: a rate of alarms a day from less is a guess.
_MIN_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class RecordedScores:
    """Scores of recorded answers.

    Parameters
    ----------
    scores
        Ascending, shape ``(n_rows,)``, in [-1, 0]: lower is more abnormal.
    weights
        How many answers each row stands for: 1 / its inclusion probability, shape ``(n_rows,)``.
    n_seconds
        From the first of these answers to the end of the window.
    """

    scores: NDArray[np.float64]
    weights: NDArray[np.float64]
    n_seconds: float

    @property
    def n_days(self) -> float:
        """The same in days."""
        return self.n_seconds / SECONDS_PER_DAY

    def find_threshold(self, alarms_per_day: float) -> float:
        """Return the highest threshold that would have flagged at most so many rows a day.

        Raises
        ------
        InvalidChoice
            If the number is not positive, or less than six hours of traffic are recorded.

        Examples
        --------
        >>> scores = RecordedScores(np.array([-0.9, -0.8, -0.8, -0.5]), np.ones(4), 2 * 86_400.0)
        >>> scores.find_threshold(1.6), scores.find_threshold(1), scores.find_threshold(9)
        (-0.5, -0.8, 0.0)
        """
        if not alarms_per_day > 0:
            raise InvalidChoice(f"{alarms_per_day:g} alarms a day are not possible; use a number above 0.")
        if self.n_seconds < _MIN_SECONDS:
            raise InvalidChoice(
                f"{self.n_seconds / 3600:.1f} hours of this forest's answers are recorded, and a number of alarms a "
                "day needs 6 or more: choose the threshold by contamination, p-value or score."
            )
        # Equal scores are flagged together or not at all.
        distinct, first = np.unique(self.scores, return_index=True)
        n_alarms = np.add.reduceat(self.weights, first).cumsum() / self.n_days
        n_allowed = int(np.searchsorted(n_alarms, alarms_per_day * (1 + 1e-12), side="right"))
        return float(distinct[n_allowed]) if n_allowed < len(distinct) else 0.0


def read_scores(address: str, version: str, since: float, until: float) -> RecordedScores:
    """Read the scores of the answers that a forest gave, with whatever threshold.

    Parameters
    ----------
    address
        A ``DATABASE_URL``.
    version
        A version with this forest; others with it have the same last eight digits.
    since, until
        Start, and end (exclusive), in seconds since 1970.

    Raises
    ------
    RecordsUnavailable
        If the database cannot be used.
    """
    engine = open_database(address)
    try:
        with refusing_in_words(DatabaseAddress(address)), engine.connect() as connection:
            return query_scores(connection, version, since, until)
    finally:
        engine.dispose()


def query_scores(connection: Connection, version: str, since: float, until: float) -> RecordedScores:
    """Read the same through a connection."""
    columns = PREDICTIONS.c
    statement = select(columns.score, columns.recorded_share, columns.answered_at).where(
        columns.record_id >= first_id_at(since),
        columns.record_id < first_id_at(until),
        columns.model_version.endswith(version[-8:], autoescape=True),
    )
    found = np.array([tuple(row) for row in connection.execute(statement)], np.float64).reshape(-1, 3)
    order = np.argsort(found[:, 0], kind="stable")
    first = float(found[:, 2].min()) if len(found) else until
    return RecordedScores(found[order, 0], 1 / found[order, 1], until - first)
