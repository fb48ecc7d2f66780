"""Reads the rows of a model from Arrow columns: the rules are those of JSON requests and of ``training score``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.model.schema import LARGEST_NUMBER, NEW_LEVEL, Features
from app.model.times import describe_form, read_hour
from app.model.values import is_missing, read_boolean, read_level

# Stands for a value that cannot be used: no value within float32 equals it.
_UNUSABLE = np.inf


class ArrowRows:
    """Reads rows of one model.

    Parameters
    ----------
    features
        The model's input columns.

    Examples
    --------
    >>> rows = ArrowRows(Features(("mean", "country"), (0.0, 0.0), (1.0, 1.0), (None, ("DE", "FR"))))
    >>> batch = pa.RecordBatch.from_pydict({"country": ["FR", "IT"], "mean": [0.5, None], "id": [7, 8]})
    >>> values, bad = rows.read(batch)
    >>> values.tolist(), bad.tolist()
    ([[0.5, 1.0], [nan, -1.0]], [False, True])
    >>> rows.explain(batch, values)
    'column mean has no value, and training had no row without one'
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        self._may_miss = [features.may_be_missing(place) for place in range(len(features))]

    def read(self, batch: pa.RecordBatch) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Read the model's columns by name.

        Parameters
        ----------
        batch
            With all columns of the model, and perhaps others.

        Returns
        -------
        Rows, shape ``(n_rows, n_columns)``, and which of them cannot be scored, shape ``(n_rows,)``.
        """
        rows = np.empty((batch.num_rows, len(self._features)), self._features.dtype)
        bad = np.zeros(batch.num_rows, np.bool_)
        for place in range(len(self._features)):
            values = self._read_column(batch, place)
            usable = np.abs(values) <= LARGEST_NUMBER
            if self._may_miss[place]:
                usable |= np.isnan(values)
            bad |= ~usable
            # What is beyond float32 becomes infinite, and is bad already.
            with np.errstate(over="ignore"):
                rows[:, place] = values
        return rows, bad

    def explain(self, batch: pa.RecordBatch, rows: NDArray[np.floating]) -> str:
        """Explain the first value that cannot be used, of a batch that has one."""
        for place, name in enumerate(self._features.names):
            values = rows[:, place]
            wrong = ~np.isfinite(values) if not self._may_miss[place] else np.isinf(values)
            if wrong.any():
                if np.isnan(values[wrong.argmax()]):
                    return f"column {name} has no value, and training had no row without one"
                shown = batch.column(name)[int(wrong.argmax())].as_py()
                return f"column {name} has {shown!r}, which is not {self._describe(place)}"
        raise ValueError("every value can be used")

    def _describe(self, place: int) -> str:
        """Return what a value of a column has to be."""
        if form := self._features.times and self._features.times[place]:
            return describe_form(form)
        return "true or false" if self._features.levels and self._features.levels[place] else "a number within float32"

    def _read_column(self, batch: pa.RecordBatch, place: int) -> NDArray[np.float64]:
        """Read a column: numbers, or numbers of levels; NaN for a missing value."""
        column = batch.column(self._features.names[place])
        levels = self._features.numbers_of_levels[place] if self._features.levels else None
        if levels is None:
            # Unsafe: whole numbers beyond 2**53 are rounded, as in every other way into the model.
            return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        form = self._features.times[place] if self._features.times else None
        distinct = [_read_level(value, levels, form) for value in column.dictionary.to_pylist()]
        numbers = np.array([*distinct, np.nan], np.float64)
        return np.asarray(numbers[column.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)])


def _read_level(value: Any, numbers: dict[str | bool, float], form: str | None) -> float:
    """Return the number of a level; NaN for a missing value, infinity for one that cannot be used."""
    are_booleans = type(next(iter(numbers))) is bool
    if is_missing(value, is_number=form is not None or are_booleans):
        return np.nan
    if form is not None:
        hour = read_hour(value, form)
        return _UNUSABLE if hour is None else hour
    if are_booleans:
        truth = read_boolean(value)
        return _UNUSABLE if truth is None else numbers[truth]
    level = read_level(value)
    if level not in numbers and isinstance(value, str):
        # A table may write the number of a category in another way, such as 8001.0.
        try:
            level = read_level(float(value))
        except ValueError:
            return NEW_LEVEL
    return NEW_LEVEL if level is None else numbers.get(level, NEW_LEVEL)
