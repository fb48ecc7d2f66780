"""Exports records as CSV, a page at a time: millions of rows take as much memory as a hundred."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, Row, Select, and_, select

from app.db.ids import first_id_at
from app.db.tables import AUDITS, LABELS, MODEL_VERSIONS, PREDICTIONS
from app.records.events import Event
from app.records.reading import read_pages
from app.records.recorded_answer import name_level
from app.records.timestamps import format_timestamp
from app.server.output_file import disarm

_FEATURE_TYPE = np.dtype("<f4")

_ROWS = select(
    PREDICTIONS.c.record_id,
    PREDICTIONS.c.row,
    PREDICTIONS.c.request_id,
    PREDICTIONS.c.answered_at,
    PREDICTIONS.c.model_version,
    PREDICTIONS.c.segment,
    PREDICTIONS.c.score,
    PREDICTIONS.c.is_inlier,
    PREDICTIONS.c.confidence,
    PREDICTIONS.c.recorded_share,
    AUDITS.c.probability.label("audit_probability"),
    AUDITS.c.handed_at,
    LABELS.c.is_inlier.label("label"),
    LABELS.c.source.label("label_source"),
    LABELS.c.note.label("label_note"),
    LABELS.c.given_at.label("labelled_at"),
    LABELS.c.given_by.label("labelled_by"),
    PREDICTIONS.c.explanation,
    PREDICTIONS.c.unfamiliar,
    PREDICTIONS.c.features,
).select_from(
    PREDICTIONS.outerjoin(
        LABELS,
        and_(
            LABELS.c.record_id == PREDICTIONS.c.record_id,
            LABELS.c.row == PREDICTIONS.c.row,
            LABELS.c.replaced_at.is_(None),
        ),
    ).outerjoin(AUDITS, and_(AUDITS.c.record_id == PREDICTIONS.c.record_id, AUDITS.c.row == PREDICTIONS.c.row))
)


@dataclass(frozen=True)
class Page:
    """Rows in the order of time, as columns.

    Parameters
    ----------
    columns
        The values of all rows by column name; None where there is no value.
    features
        The values of all rows by column, shape (n_rows,): float32, NaN where a row has none; of columns with levels,
        texts, None where a row has none.
    """

    columns: Mapping[str, Sequence[Any]]
    features: dict[str, npt.NDArray[Any]]


class RecordPages:
    """All records of a time span.

    Parameters
    ----------
    engine
        A database whose tables are up to date.
    since, until
        Start, and end (exclusive), in seconds since 1970.
    """

    def __init__(self, engine: Engine, since: float, until: float) -> None:
        self._engine, self._since, self._until = engine, since, until
        self._names = self._read_names()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns that every record has."""
        return tuple(column.name for column in _ROWS.selected_columns if column.name != PREDICTIONS.c.features.name)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features of all models that answered in this time span, each once, those of older versions first."""
        return tuple(dict.fromkeys(_name(column) for columns in self._names.values() for column in columns))

    @property
    def text_names(self) -> frozenset[str]:
        """The features whose values are texts, because a model has levels for them."""
        columns = (column for columns in self._names.values() for column in columns)
        return frozenset(column["name"] for column in columns if isinstance(column, dict))

    def __iter__(self) -> Iterator[Page]:
        """Yield the records, page after page."""
        for rows in read_pages(self._fetch, _ROWS, self._since, self._until):
            if rows:
                yield self._to_columns(rows)

    def _fetch(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """Run a statement in a transaction of its own, and return all rows."""
        with self._engine.connect() as connection:
            return connection.execute(statement).all()

    def _read_names(self) -> dict[str, list[Any]]:
        """Read the feature names of each version that answered, in the order in which the versions were first seen."""
        versions, ids = MODEL_VERSIONS.c, PREDICTIONS.c.record_id
        is_within = and_(ids >= first_id_at(self._since), ids < first_id_at(self._until))
        answered = select(PREDICTIONS.c.model_version).where(is_within).distinct()
        with self._engine.connect() as connection:
            found = connection.execute(
                select(versions.version, versions.feature_names)
                .where(versions.version.in_(answered))
                .order_by(versions.first_seen_at, versions.version)
            ).all()
        return {version: json.loads(names) for version, names in found}

    def _to_columns(self, rows: Sequence[Row[Any]]) -> Page:
        """Convert rows to columns."""
        *columns, blobs = zip(*rows, strict=True)
        by_name = dict(zip(self.column_names, columns, strict=True))
        texts = self.text_names
        features: dict[str, npt.NDArray[Any]] = {
            name: np.full(len(rows), None, object) if name in texts else np.full(len(rows), np.nan, np.float32)
            for name in self.feature_names
        }
        places: dict[str, list[int]] = {}
        for place, (version, blob) in enumerate(zip(by_name["model_version"], blobs, strict=True)):
            if blob is not None and version in self._names:
                places.setdefault(version, []).append(place)
        for version, found in places.items():
            names = self._names[version]
            values = np.frombuffer(b"".join(blobs[place] for place in found), _FEATURE_TYPE).reshape(-1, len(names))
            for number, column in enumerate(names):
                name = _name(column)
                if name in texts:
                    levels = column["levels"] if isinstance(column, dict) else None
                    features[name][found] = [_to_text(value, levels) for value in values[:, number]]
                else:
                    features[name][found] = values[:, number]
        return Page(by_name, features)


def _name(column: Any) -> str:
    """Return the name of a column, as ``columns_to_record`` lists it."""
    name: str = column["name"] if isinstance(column, dict) else column
    return name


def _to_text(value: np.float32, levels: Sequence[Any] | None) -> str | None:
    """Return the text of a level, or of a number of another model's column; None if it is missing or not known."""
    if np.isnan(value):
        return None
    level = str(value) if levels is None else name_level(levels, float(value))
    return str(level).lower() if type(level) is bool else level


TIMESTAMP_COLUMNS = ("answered_at", "handed_at", "labelled_at")

FEATURE_PREFIX = "feature."

EVENT_COLUMNS = ("at", "who", "what", "before", "after", "note")


def write_csv(pages: RecordPages, file: TextIO) -> int:
    """Write all records, a line each, after a header line.

    Parameters
    ----------
    pages
        The records.
    file
        An open file without conversion of line ends; they are those of RFC 4180.

    Returns
    -------
    The number of rows.
    """
    n_rows = 0
    writer = csv.writer(file)
    writer.writerow([*pages.column_names, *(f"{FEATURE_PREFIX}{name}" for name in pages.feature_names)])
    for page in pages:
        writer.writerows(zip(*_columns(page), strict=True))
        n_rows += len(page.columns["record_id"])
    return n_rows


def write_events_csv(events: Iterable[Event], file: TextIO) -> None:
    """Write the audit trail, a line each."""
    writer = csv.writer(file)
    writer.writerow(EVENT_COLUMNS)
    for event in events:
        texts = (event.who, event.what, event.before, event.after, event.note)
        writer.writerow([format_timestamp(event.at), *map(disarm, texts)])


def _columns(page: Page) -> Iterable[Sequence[Any]]:
    """Yield the columns of a page as they are written; unknown values are empty."""
    for name, values in page.columns.items():
        if name in TIMESTAMP_COLUMNS:
            yield ["" if value is None else format_timestamp(value) for value in values]
        else:
            # Notes, segments and request ids come from callers.
            yield [disarm(value) if isinstance(value, str) else value for value in values]
    for of_feature in page.features.values():
        if of_feature.dtype == object:
            yield ["" if value is None else disarm(value) for value in of_feature]
        else:
            yield _shortest(of_feature)


def _shortest(values: npt.NDArray[np.float32]) -> list[str]:
    """Format numbers with as few digits as identify a float32."""
    return ["" if text == "nan" else text for text in values.astype(str).tolist()]
