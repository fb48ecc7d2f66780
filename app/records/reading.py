"""Reading recorded rows back, a page at a time: what was asked, what was answered, and what is known of it since.

Pages follow each other by the primary key, each in a transaction of its own: a reader that stayed in one for minutes
would keep SQLite from emptying its write-ahead log, which would grow for as long.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, and_, select, tuple_

from app.db.engine import open_database
from app.db.errors import refusing_in_words
from app.db.ids import first_id_at
from app.db.tables import AUDITS, LABELS, MODEL_VERSIONS, PREDICTIONS
from app.db.url import DatabaseAddress
from app.errors import RecordsUnavailable

# Some megabytes of a model with many features, and few enough statements for millions of rows.
_ROWS_OF_A_PAGE = 10_000

_OUTLIER = -1

_COLUMNS = (
    PREDICTIONS.c.record_id,
    PREDICTIONS.c.row,
    PREDICTIONS.c.answered_at,
    PREDICTIONS.c.model_version,
    PREDICTIONS.c.features,
    PREDICTIONS.c.is_inlier,
    PREDICTIONS.c.recorded_share,
)


@dataclass(frozen=True)
class Period:
    """From when until when rows were answered: seconds since 1970, the end not included."""

    since: float
    until: float


@dataclass(frozen=True)
class RecordedRows:
    """Rows that were answered, all with the same features.

    Parameters
    ----------
    record_ids, rows
        What names each of them.
    answered_at
        Seconds since 1970, shape ``(n_rows,)``.
    features
        Shape ``(n_rows, n_features)``.
    is_outlier
        What was answered, shape ``(n_rows,)``.
    recorded_shares
        The probability with which a row like this was recorded, in (0, 1], shape ``(n_rows,)``.
    """

    record_ids: Sequence[str]
    rows: Sequence[int]
    answered_at: NDArray[np.float64]
    features: NDArray[np.float32]
    is_outlier: NDArray[np.bool_]
    recorded_shares: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class RecordedPage:
    """Some recorded rows, and how many beside them cannot be used.

    Parameters
    ----------
    rows
        Those of the features that were asked for.
    n_other_features
        Rows of models with other features.
    n_without_features
        Rows whose features were not kept.
    """

    rows: RecordedRows
    n_other_features: int
    n_without_features: int


@dataclass(frozen=True)
class LabelledRows:
    """Recorded rows whose label is known.

    Parameters
    ----------
    rows
        What was asked and answered.
    is_known_outlier
        The label that counts, shape ``(n_rows,)``.
    audit_probabilities
        With which probability the row was drawn for labelling; NaN if the audit queue did not hand it out. Shape
        ``(n_rows,)``.
    """

    rows: RecordedRows
    is_known_outlier: NDArray[np.bool_]
    audit_probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


class RecordReader:
    """Reads records back; to be closed, or used in a ``with``.

    Parameters
    ----------
    address
        As :class:`~app.db.url.DatabaseAddress` takes it.

    Raises
    ------
    InvalidSetting
        If the address names no database.
    RecordsUnavailable
        If the database cannot be used; so do all methods.
    """

    def __init__(self, address: str) -> None:
        self._address, self._engine = DatabaseAddress(address), open_database(address)

    def __enter__(self) -> RecordReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self._engine.dispose()

    def find_versions(self, feature_names: Sequence[str]) -> frozenset[str]:
        """Name the model versions whose rows have these features, in this order."""
        found = self._ask(select(MODEL_VERSIONS.c.version, MODEL_VERSIONS.c.feature_names))
        return frozenset(row.version for row in found if json.loads(row.feature_names) == list(feature_names))

    def read_rows(self, period: Period, versions: frozenset[str], n_features: int) -> Iterator[RecordedPage]:
        """Read what was recorded, oldest first.

        Parameters
        ----------
        period
            When it was answered.
        versions
            The model versions whose rows are given.
        n_features
            How many features these have.
        """
        key = tuple_(PREDICTIONS.c.record_id, PREDICTIONS.c.row)
        last: tuple[str, int] = (first_id_at(period.since), -1)
        while True:
            found = self._ask(
                select(*_COLUMNS)
                .where(key > last, PREDICTIONS.c.record_id < first_id_at(period.until))
                .order_by(PREDICTIONS.c.record_id, PREDICTIONS.c.row)
                .limit(_ROWS_OF_A_PAGE)
            )
            of_versions = [row for row in found if row.model_version in versions]
            usable = [row for row in of_versions if row.features is not None]
            yield RecordedPage(
                _to_arrays(usable, n_features), len(found) - len(of_versions), len(of_versions) - len(usable)
            )
            if len(found) < _ROWS_OF_A_PAGE:
                return
            last = (found[-1].record_id, found[-1].row)

    def read_labelled(self, period: Period, versions: frozenset[str], n_features: int) -> LabelledRows:
        """Read the rows whose label is known, oldest first; people give labels, so they are few enough for memory.

        Parameters are those of :meth:`read_rows`.
        """
        found = self._ask(
            select(*_COLUMNS, LABELS.c.is_inlier.label("known"), AUDITS.c.probability, AUDITS.c.handed_at)
            .select_from(LABELS)
            .join(PREDICTIONS, _same_row(LABELS, PREDICTIONS))
            .outerjoin(AUDITS, _same_row(LABELS, AUDITS))
            .where(
                LABELS.c.replaced_at.is_(None),
                LABELS.c.record_id >= first_id_at(period.since),
                LABELS.c.record_id < first_id_at(period.until),
                PREDICTIONS.c.features.is_not(None),
            )
            .order_by(LABELS.c.record_id, LABELS.c.row)
        )
        found = [row for row in found if row.model_version in versions]
        return LabelledRows(
            _to_arrays(found, n_features),
            np.array([row.known == _OUTLIER for row in found], bool),
            np.array([np.nan if row.handed_at is None else row.probability for row in found], float),
        )

    def _ask(self, statement: Select[Any]) -> Sequence[Any]:
        """Fetch all that a statement finds, in a transaction of its own."""
        with refusing_in_words(self._address), self._engine.connect() as connection:
            return connection.execute(statement).all()


def _same_row(one: Any, other: Any) -> Any:
    """Join two tables by what names a row."""
    return and_(one.c.record_id == other.c.record_id, one.c.row == other.c.row)


def _to_arrays(found: Sequence[Any], n_features: int) -> RecordedRows:
    """Put what the database gave into arrays."""
    features = np.frombuffer(b"".join(row.features for row in found), "<f4")
    if features.size != len(found) * n_features:
        raise RecordsUnavailable(
            f"Rows of the records hold other numbers than their model's {n_features} features: they were changed from "
            "outside; purge them."
        )
    return RecordedRows(
        [row.record_id for row in found],
        [row.row for row in found],
        np.array([row.answered_at for row in found], float),
        features.reshape(len(found), n_features).astype(np.float32, copy=False),
        np.array([row.is_inlier == _OUTLIER for row in found], bool),
        np.array([row.recorded_share for row in found], float),
    )
