"""The encoding: makes the forest's features of a row's input columns, as the manifest declares it.

Service, recorder, offline scoring and training all use it. A model of numbers alone has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.model.schema import FREQUENCY, IDENTITY, ONE_HOT

# The feature of all levels that have none of their own.
INFREQUENT = "infrequent"


class Encoding:
    """Makes features of columns; a table per category, so that a row needs only look-ups.

    Parameters
    ----------
    manifest
        With ``columns`` and ``encoding``, checked.

    Attributes
    ----------
    names
        The features, such as ``mean`` or ``country = DE``.
    owners
        The number of the column that each feature is made of, shape ``(n_features,)``.
    n_columns
        The number of columns.

    Examples
    --------
    >>> from app.model.schema import describe_columns
    >>> rows = np.array([[0.5, 0], [0.7, 0], [0.6, 1], [0.8, 1], [0.9, 2]])
    >>> encoding = Encoding(describe_columns(("mean", "country"), rows, {"country": ("DE", "FR", "IT")}))
    >>> encoding.names
    ('mean', 'country = DE', 'country = FR', 'country: infrequent')
    >>> encoding.encode([[0.5, 1], [0.5, -1]])
    array([[0.5, 0. , 1. , 0. ],
           [0.5, 0. , 0. , 1. ]], dtype=float32)
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        columns = {column["name"]: column for column in manifest["columns"]}
        places = {name: place for place, name in enumerate(columns)}
        names: list[str] = []
        owners: list[int] = []
        # By the first of its features: the column, and a feature's value for each level, a new one, and a missing one.
        self._tables: list[tuple[int, int, NDArray[np.float32]]] = []
        for step in manifest["encoding"]:
            if step["step"] == IDENTITY:
                names += step["columns"]
                owners += [places[name] for name in step["columns"]]
                continue
            name = step["column"]
            made, table = _tabulate(step, columns[name])
            self._tables.append((len(names), places[name], table))
            names += made
            owners += [places[name]] * len(made)
        self.names = tuple(names)
        self.owners = np.array(owners, np.int64)
        self.n_columns = len(columns)

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Make the forest's features.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_columns)``: numbers, numbers of levels (-1 for a new one), NaN for a missing value.

        Returns
        -------
        Shape ``(n_rows, n_features)``. A missing number stays NaN; a new level is encoded as the rarest.
        """
        columns = np.asarray(rows)
        features = columns[:, self.owners].astype(np.float32)
        for first, place, table in self._tables:
            codes = columns[:, place]
            is_missing = np.isnan(codes)
            # A number that is none of a level's is a new level; the last two lines of a table are new and missing.
            known = np.where(is_missing, -1, codes)
            lines = np.where((known >= 0) & (known < len(table) - 2), known, len(table) - 2).astype(np.int64)
            features[:, first : first + table.shape[1]] = table[np.where(is_missing, len(table) - 1, lines)]
        return features

    def sum_by_column(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up what belongs to the features of each column.

        Parameters
        ----------
        values
            Shape ``(n_rows, n_features)``.

        Returns
        -------
        Shape ``(n_rows, n_columns)``.
        """
        # The features of a column are next to each other.
        first = np.searchsorted(self.owners, np.arange(self.n_columns))
        totals: NDArray[np.float64] = np.add.reduceat(values, first, axis=1)
        return totals


def read_encoding(manifest: Mapping[str, Any]) -> Encoding | None:
    """Return the encoding of a checked manifest; None if the columns are the features.

    Examples
    --------
    >>> read_encoding({"encoding": [{"step": "identity", "columns": ["mean"]}]}) is None
    True
    """
    if all(step["step"] == IDENTITY for step in manifest.get("encoding", ())):
        return None
    return Encoding(manifest)


def _tabulate(step: Mapping[str, Any], column: Mapping[str, Any]) -> tuple[list[str], NDArray[np.float32]]:
    """Return the features of a category, and their values for each level, a new level and a missing value."""
    name = column["name"]
    levels, counts = ([each[key] for each in column["levels"]] for key in ("level", "count"))
    if step["step"] == FREQUENCY:
        n_rows = max(1, sum(counts))
        share_missing = min(column["share_missing"], 1 - 1 / (1 + n_rows))
        # Shares of all rows: those with a value are the rest.
        shares = [count / n_rows * (1 - share_missing) for count in counts]
        return [f"{name}: share"], np.array([*shares, min(shares), share_missing], np.float32)[:, None]
    assert step["step"] == ONE_HOT, "checked"
    own = step["levels"]
    width = len(own) + step["infrequent"]
    table = np.zeros((len(levels) + 2, width), np.float32)
    for line, level in enumerate([*levels, None]):
        # The rarest level with a feature of its own is the last.
        table[line, own.index(level) if level in own else width - 1] = 1
    made = [f"{name} = {level}" for level in own]
    return made + ([f"{name}: {INFREQUENT}"] if step["infrequent"] else []), table
