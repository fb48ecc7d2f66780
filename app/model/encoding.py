"""The encoding: makes the forest's features of a row's input columns, as the manifest declares it.

Service, recorder, offline scoring and training all use it. A trained model of numbers alone has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.model.schema import FREQUENCY, IDENTITY, LARGEST_NUMBER, ONE_HOT, TRANSFORM
from app.model.transforms import MISSING_LINE, NEW_LINE, OF_ONE_COLUMN, TABLE, Chains, look_up, to_single

# The feature of all levels that have none of their own.
INFREQUENT = "infrequent"


class Encoding:
    """Makes features of columns: a table per category, so that a row needs only look-ups, and operations on numbers.

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
        self._columns = {column["name"]: column for column in manifest["columns"]}
        self._places = {name: place for place, name in enumerate(self._columns)}
        names: list[str] = []
        owners: list[int] = []
        # The features that are columns as they are.
        self._plain: list[int] = []
        self._parts: list[_Part] = []
        self._steps: list[tuple[int, int, Mapping[str, Any] | None]] = []
        alike: dict[tuple[str, ...], list[tuple[int, Mapping[str, Any]]]] = {}
        for step in manifest["encoding"]:
            first = len(names)
            if step["step"] == IDENTITY:
                made, of = step["columns"], [self._places[name] for name in step["columns"]]
                self._plain += range(first, first + len(made))
                self._steps += [(first + n, place, None) for n, place in enumerate(of)]
            else:
                of = [self._places[step["column"]]]
                self._steps.append((first, of[0], step))
                if step["step"] == TRANSFORM:
                    made = step["features"]
                    alike.setdefault(_kind_of(step), []).append((first, step))
                else:
                    made, table = _tabulate(step, self._columns[step["column"]])
                    self._parts.append(_Part(np.arange(first, first + len(made)), np.array(of), None, table))
                of *= len(made)
            names += made
            owners += of
        for same in alike.values():
            self._parts.append(self._join(same))
        self.names = tuple(names)
        self.owners = np.array(owners, np.int64)
        self.n_columns = len(self._columns)
        self._plain_pairs = [(feature, owners[feature]) for feature in self._plain]
        # If one part makes all features in order, they need not be put into place.
        self._only = self._parts[0] if len(self._parts) == 1 and self._parts[0].is_all_of(len(names)) else None

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
        # In double precision, as scikit-learn computes. What is not finite is dealt with at the end.
        columns = np.asarray(rows, np.float64)
        with np.errstate(all="ignore"):
            if self._only is not None:
                return self._only.make(columns)
            features = np.empty((len(columns), len(self)), np.float32)
            if self._plain:
                features[:, self._plain] = columns[:, self.owners[self._plain]]
            for part in self._parts:
                features[:, part.features] = part.make(columns)
            return features

    def encode_row(self, row: Sequence[float]) -> list[float]:
        """Make the forest's features of one row: as :meth:`encode`, but not rounded yet, in a fraction of its time.

        Parameters
        ----------
        row
            One number per column.
        """
        if self._only is not None:
            return self._only.make_row(row)
        features = [0.0] * len(self)
        for feature, column in self._plain_pairs:
            features[feature] = row[column]
        for part in self._parts:
            for feature, value in zip(part.feature_list, part.make_row(row), strict=True):
                features[feature] = value
        return features

    def parts_of(self, column: int) -> list[tuple[int, Mapping[str, Any] | None]]:
        """Return the first feature of each step of a column, and the step if it has operations."""
        return [(feature, step) for feature, place, step in self._steps if place == column]

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
        totals = np.zeros((len(values), self.n_columns))
        for feature, column in enumerate(self.owners.tolist()):
            totals[:, column] += values[:, feature]
        return totals

    def _join(self, same: list[tuple[int, Mapping[str, Any]]]) -> _Part:
        """Return the part that does the steps of one kind, each with the number of its first feature."""
        chains = [list(step["operations"]) for _, step in same]
        table = None
        if chains[0] and chains[0][-1]["operation"] == TABLE:
            last = chains[0].pop()
            table = np.array([*last["values"], last["new"], last["missing"]], np.float64)
        places = [self._places[step["column"]] for _, step in same]
        features = [first + n for first, step in same for n in range(len(step["features"]))]
        return _Part(np.array(features), np.array(places), Chains(chains), None if table is None else to_single(table))


class _Part:
    """Makes some of the features.

    Parameters
    ----------
    features
        Their numbers.
    places
        The numbers of the columns: one for each feature, or a single one if there is a table.
    chains
        Operations on the columns; None for none.
    table
        The features of each code, of a new value and of a missing one; None if the results are the features.
    """

    def __init__(
        self,
        features: NDArray[np.int64],
        places: NDArray[np.int64],
        chains: Chains | None,
        table: NDArray[np.float32] | None,
    ) -> None:
        self.features, self._places, self._chains, self._table = features, places, chains, table
        self.feature_list: list[int] = features.tolist()
        self._lines: list[list[float]] = [] if table is None else table.tolist()
        pick = itemgetter(*places.tolist())
        self._pick = pick if len(places) > 1 else (lambda row: (pick(row),))

    def is_all_of(self, n_features: int) -> bool:
        """Return whether the features are all there are, in order."""
        return bool(np.array_equal(self.features, np.arange(n_features)))

    def make(self, columns: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the features of rows, shape ``(n_rows, n_made)``."""
        values = columns.take(self._places, axis=1)
        if self._chains is not None:
            values = self._chains(values)
        return to_single(values) if self._table is None else look_up(self._table, values[:, 0])

    def make_row(self, row: Sequence[float]) -> list[float]:
        """Return the features of one row."""
        values = list(self._pick(row))
        if self._chains is not None:
            values = self._chains.of_row(values)
        if self._table is not None:
            [code] = values
            n_codes = len(self._lines) + NEW_LINE
            # NaN differs from itself.
            line = MISSING_LINE if code != code else int(code) if 0 <= code < n_codes else NEW_LINE
            return self._lines[line]
        if not (min(values) >= -LARGEST_NUMBER and max(values) <= LARGEST_NUMBER):
            return [min(max(value, -LARGEST_NUMBER), LARGEST_NUMBER) for value in values]
        return values


def _kind_of(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what steps must have in common to be done at once; a table or a list is of one column only."""
    names = tuple(each["operation"] for each in step["operations"])
    if len(step["features"]) == 1 and not ({TABLE, *OF_ONE_COLUMN} & set(names)):
        return names
    return (*names, *step["features"])


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
