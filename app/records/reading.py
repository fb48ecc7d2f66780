"""Reads recorded rows back, a page at a time: inputs, answers, and what is known about them since.

Each page is read in a transaction of its own. A reader that stayed in one for minutes would keep SQLite from emptying
its write-ahead log, which would grow all the while.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, Select, and_, select, tuple_

from app.db.engine import open_database
from app.db.errors import refusing_in_words
from app.db.ids import first_id_at
from app.db.tables import AUDITS, LABELS, MODEL_VERSIONS, PREDICTIONS
from app.db.url import DatabaseAddress
from app.errors import RecordsUnavailable
from app.model.forest import OUTLIER
from app.records.lookup import RecordKey

# A few megabytes with a hundred features, and few enough statements for millions of rows.
PAGE_ROWS = 5_000

_COLUMNS = (
    PREDICTIONS.c.record_id,
    PREDICTIONS.c.row,
    PREDICTIONS.c.answered_at,
    PREDICTIONS.c.model_version,
    PREDICTIONS.c.features,
    PREDICTIONS.c.is_inlier,
    PREDICTIONS.c.recorded_share,
)


def next_page(statement: Select[Any], after: RecordKey, n_rows: int) -> Select[Any]:
    """Select the rows of ``PREDICTIONS`` that follow a key, in the order of the primary key.

    Parameters
    ----------
    statement
        Selects from ``PREDICTIONS``, with conditions or joins.
    after
        The last row of the page before; row -1 of a record to start with the record.
    n_rows
        The size of the page.
    """
    ids, numbers = PREDICTIONS.c.record_id, PREDICTIONS.c.row
    # One comparison of the whole key: the index search starts at the page, even within a record of many rows.
    is_later = tuple_(ids, numbers) > tuple_(after.record_id, after.row)
    return statement.where(is_later).order_by(ids, numbers).limit(n_rows)


def read_pages(
    fetch: Callable[[Select[Any]], Sequence[Row[Any]]], statement: Select[Any], since: float, until: float
) -> Iterator[Sequence[Row[Any]]]:
    """Yield the rows of a time span, oldest first, in pages of ``PAGE_ROWS``; the last page is shorter or empty.

    Rows that are recorded or deleted meanwhile may or may not be included.

    Parameters
    ----------
    fetch
        Runs a statement in a transaction of its own.
    statement
        Selects from ``PREDICTIONS``, ``record_id`` and ``row`` among the columns.
    since, until
        Start, and end (exclusive), in seconds since 1970.
    """
    statement = statement.where(PREDICTIONS.c.record_id < first_id_at(until))
    last = RecordKey(first_id_at(since), -1)
    while True:
        page = fetch(next_page(statement, last, PAGE_ROWS))
        yield page
        if len(page) < PAGE_ROWS:
            return
        last = RecordKey(page[-1].record_id, page[-1].row)


@dataclass(frozen=True)
class Period:
    """A time span in seconds since 1970; the end is exclusive."""

    since: float
    until: float


@dataclass(frozen=True)
class RecordedRows:
    """Recorded rows, all with the same features.

    Parameters
    ----------
    record_ids, rows
        The key of each row.
    answered_at
        Seconds since 1970, shape ``(n_rows,)``.
    features
        Shape ``(n_rows, n_features)``.
    is_outlier
        The predicted label, shape ``(n_rows,)``.
    recorded_shares
        The inclusion probability of each row, in (0, 1], shape ``(n_rows,)``.
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
    """A page of recorded rows, and how many others on it cannot be used.

    Parameters
    ----------
    rows
        Those with the requested features.
    n_other_features
        Rows of models with other features.
    n_without_features
        Rows whose features were not recorded.
    """

    rows: RecordedRows
    n_other_features: int
    n_without_features: int


@dataclass(frozen=True)
class LabelledRows:
    """Recorded rows with a true label.

    Parameters
    ----------
    rows
        Inputs and answers.
    is_known_outlier
        The current label, shape ``(n_rows,)``.
    audit_probabilities
        The probability with which the row was drawn for labelling; NaN if the audit queue did not hand it out. Shape
        ``(n_rows,)``.
    """

    rows: RecordedRows
    is_known_outlier: NDArray[np.bool_]
    audit_probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


class RecordReader:
    """Reads records back; use it in a ``with`` statement.

    Parameters
    ----------
    address
        A ``DATABASE_URL``.

    Raises
    ------
    InvalidSetting
        If the address names no database.
    RecordsUnavailable
        If the database cannot be used; all methods raise it, too.
    """

    def __init__(self, address: str) -> None:
        self._address, self._engine = DatabaseAddress(address), open_database(address)

    def __enter__(self) -> RecordReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self._engine.dispose()

    def find_versions(self, feature_names: Sequence[Any]) -> frozenset[str]:
        """Return the model versions whose rows have these columns with these levels, as ``columns_to_record`` lists."""
        found = self._fetch(select(MODEL_VERSIONS.c.version, MODEL_VERSIONS.c.feature_names))
        return frozenset(row.version for row in found if json.loads(row.feature_names) == list(feature_names))

    def read_rows(self, period: Period, versions: frozenset[str], n_features: int) -> Iterator[RecordedPage]:
        """Yield pages of recorded rows, oldest first.

        Parameters
        ----------
        period
            When the rows were answered.
        versions
            The model versions whose rows are used.
        n_features
            How many features these have.
        """
        for page in read_pages(self._fetch, select(*_COLUMNS), period.since, period.until):
            of_versions = [row for row in page if row.model_version in versions]
            usable = [row for row in of_versions if row.features is not None]
            yield RecordedPage(
                _to_arrays(usable, n_features), len(page) - len(of_versions), len(of_versions) - len(usable)
            )

    def read_labelled(self, period: Period, versions: frozenset[str], n_features: int) -> LabelledRows:
        """Read the rows with a true label, oldest first; people give labels, so all of them fit into memory.

        Parameters are those of :meth:`read_rows`.
        """
        found = self._fetch(
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
            np.array([row.known == OUTLIER for row in found], bool),
            np.array([np.nan if row.handed_at is None else row.probability for row in found], float),
        )

    def _fetch(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """Run a statement in a transaction of its own, and return all rows."""
        with refusing_in_words(self._address), self._engine.connect() as connection:
            return connection.execute(statement).all()


def _same_row(one: Any, other: Any) -> Any:
    """Return the condition that two tables are about the same row."""
    return and_(one.c.record_id == other.c.record_id, one.c.row == other.c.row)


def _to_arrays(found: Sequence[Any], n_features: int) -> RecordedRows:
    """Convert database rows to arrays."""
    features = np.frombuffer(b"".join(row.features for row in found), "<f4")
    if features.size != len(found) * n_features:
        raise RecordsUnavailable(
            f"Recorded rows do not hold the {n_features} features of their model: the database was changed by another "
            "program; purge these records."
        )
    return RecordedRows(
        [row.record_id for row in found],
        [row.row for row in found],
        np.array([row.answered_at for row in found], float),
        features.reshape(len(found), n_features).astype(np.float32, copy=False),
        np.array([row.is_inlier == OUTLIER for row in found], bool),
        np.array([row.recorded_share for row in found], float),
    )
