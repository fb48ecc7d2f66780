"""Operations on the values of a column, as a manifest declares them: what scikit-learn's preprocessing does, in NumPy.

Each computes in float64 and in scikit-learn's order, so that the results are equal to the last bit. Training and import
use the same functions as the service.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from functools import partial
from operator import add, mul, sub, truediv
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.schema import LARGEST_NUMBER

_Values = NDArray[np.float64]

# The lines of a table below those of the codes: of a value that training did not see, and of a missing one.
NEW_LINE, MISSING_LINE = -2, -1

# scikit-learn's limit of a power that counts as 0, in SciPy's box-cox: below it, the difference to a logarithm is lost.
_NO_POWER = 1e-19

# NumPy's spacing of 1: SciPy's yeo-johnson takes logarithms below it.
_SPACING = float(np.spacing(1.0))


def _fill(values: _Values, missing: NDArray[np.float64], value: NDArray[np.float64]) -> _Values:
    """Replace what counts as missing; NaN as ``missing`` means NaN."""
    return np.where(_is(values, missing), value, values)


def _is(values: _Values, missing: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which values are equal to ``missing``, which may be NaN."""
    found: NDArray[np.bool_] = (values == missing) | (np.isnan(missing) & np.isnan(values))
    return found


def _yeo_johnson(values: _Values, power: NDArray[np.float64]) -> _Values:
    """Transform as scipy.stats.yeojohnson does."""
    is_log, is_log_below = np.abs(power) < _SPACING, np.abs(power - 2) <= _SPACING
    logarithms = np.log1p(np.abs(values))
    above = np.where(is_log, logarithms, np.expm1(power * logarithms) / np.where(is_log, 1.0, power))
    other = np.where(is_log_below, 1.0, 2 - power)
    below = np.where(is_log_below, -logarithms, -np.expm1((2 - power) * logarithms) / other)
    return np.where(values >= 0, above, below)


def _box_cox(values: _Values, power: NDArray[np.float64]) -> _Values:
    """Transform as scipy.special.boxcox does."""
    logarithms = np.log(values)
    small = np.abs(power) < _NO_POWER
    made: _Values = np.where(small, logarithms, np.expm1(power * logarithms) / np.where(small, 1.0, power))
    return made


def _quantile(values: _Values, quantiles: _Values, shares: _Values) -> _Values:
    """Return the share of training rows up to each value, as a QuantileTransformer with a uniform output does."""
    made = 0.5 * (_interpolate(values, quantiles, shares) - _interpolate(-values, -quantiles[::-1], -shares[::-1]))
    made[values == quantiles[-1]] = 1.0
    made[values == quantiles[0]] = 0.0
    made[np.isnan(values)] = np.nan
    return made


def _interpolate(values: _Values, known: _Values, results: _Values) -> _Values:
    """Interpolate as np.interp does, and, unlike it, on no processor with a fused multiplication."""
    at = np.clip(np.searchsorted(known, values, side="right") - 1, 0, max(len(known) - 2, 0))
    after = np.minimum(at + 1, len(known) - 1)
    slope = (results[after] - results[at]) / (known[after] - known[at])
    made = np.where(known[at] == values, results[at], slope * (values - known[at]) + results[at])
    return np.where(values >= known[-1], results[-1], np.where(values < known[0], results[0], made))


def _quantile_of_row(values: list[float], quantiles: list[float], shares: list[float]) -> list[float]:
    """Return the same of a list with one value."""
    [value] = values
    if value != value or value == quantiles[-1] or value == quantiles[0]:
        return [value if value != value else 0.0 if value == quantiles[0] else 1.0]
    if not quantiles[0] < value < quantiles[-1]:
        return [shares[-1] if value > quantiles[-1] else shares[0]]
    # Of equal quantiles, one direction takes the last and the other the first.
    last, first = bisect_right(quantiles, value) - 1, bisect_left(quantiles, value)
    if quantiles[last] == value:
        return [0.5 * (shares[last] - -shares[first])]
    slope = (shares[first] - shares[last]) / (quantiles[first] - quantiles[last])
    rising = slope * (value - quantiles[last]) + shares[last]
    falling = slope * (-value - -quantiles[first]) - shares[first]
    return [0.5 * (rising - falling)]


def _bin(values: _Values, edges: _Values) -> _Values:
    """Return the number of the bin of each value, from 0; NaN for a missing one."""
    return np.where(np.isnan(values), np.nan, np.searchsorted(edges, values, side="right"))


def _match(values: _Values, known: _Values) -> _Values:
    """Return the place of each value among known ones, -1 for another, NaN for a missing one."""
    order = np.argsort(known)
    place = order[np.minimum(np.searchsorted(known, values, sorter=order), len(known) - 1)]
    return np.where(np.isnan(values), np.nan, np.where(known[place] == values, place, -1.0))


# By name: the function, and its parameters. Numbers are parameters of several columns at once, lists of a single one.
_NUMBERS: Mapping[str, tuple[Callable[..., _Values], tuple[str, ...]]] = {
    "subtract": (np.subtract, ("value",)),
    "add": (np.add, ("value",)),
    "multiply": (np.multiply, ("value",)),
    "divide": (np.divide, ("value",)),
    "clip": (lambda values, low, high: np.minimum(np.maximum(values, low), high), ("low", "high")),
    "log1p": (np.log1p, ()),
    "log": (np.log, ()),
    "sqrt": (np.sqrt, ()),
    "abs": (np.abs, ()),
    "fill": (_fill, ("missing", "value")),
    "is_missing": (lambda values, missing: _is(values, missing).astype(np.float64), ("missing",)),
    "yeo_johnson": (_yeo_johnson, ("power",)),
    "box_cox": (_box_cox, ("power",)),
}
_LISTS: Mapping[str, tuple[Callable[..., _Values], tuple[str, ...]]] = {
    "quantile": (_quantile, ("quantiles", "shares")),
    "bin": (_bin, ("edges",)),
    "match": (_match, ("values",)),
}
OPERATIONS = {**_NUMBERS, **_LISTS}

# Operations with lists, which cannot be done on several columns at once.
OF_ONE_COLUMN = frozenset(_LISTS)

# The parameters that may be null, which is JSON's NaN.
NULLABLE = frozenset({"missing"})

# The last operation, if there is one after the others: the features of each code.
TABLE = "table"

# Larger values have no larger results: these are the operations that may be turned around.
_FALLING_IF_NEGATIVE = frozenset({"multiply", "divide"})
_NOT_RISING = frozenset({"abs", "match", "is_missing"})


def is_rising(operations: list[Mapping[str, Any]]) -> bool:
    """Return whether a larger number never has a smaller result.

    Examples
    --------
    >>> is_rising([{"operation": "subtract", "value": 2.0}, {"operation": "abs"}])
    False
    """
    return not any(
        each["operation"] in _NOT_RISING or (each["operation"] in _FALLING_IF_NEGATIVE and each["value"] < 0)
        for each in operations
    )


def apply_operation(operation: Mapping[str, Any], values: _Values) -> _Values:
    """Apply one operation to the values of a column, shape ``(n,)``.

    Examples
    --------
    >>> apply_operation({"operation": "fill", "missing": None, "value": 2.5}, np.array([1.0, np.nan])).tolist()
    [1.0, 2.5]
    >>> apply_operation({"operation": "match", "values": [3.0, 1.0]}, np.array([1.0, 2.0, np.nan])).tolist()
    [1.0, -1.0, nan]
    """
    return Chains([[operation]])(values[:, None])[:, 0]


# Of one row, lists take a fraction of the time of arrays: the same arithmetic for each column, whose numbers follow.
_ROWS: Mapping[str, Callable[..., list[float]]] = {
    "subtract": lambda values, numbers: list(map(sub, values, numbers)),
    "add": lambda values, numbers: list(map(add, values, numbers)),
    "multiply": lambda values, numbers: list(map(mul, values, numbers)),
    # No number is 0.
    "divide": lambda values, numbers: list(map(truediv, values, numbers)),
    "abs": lambda values: list(map(abs, values)),
    # NaN stays, as it is the first argument of both.
    "clip": lambda values, low, high: list(map(min, map(max, values, low), high)),
    "fill": lambda values, missing, fill: [
        new if value == none or (value != value and none != none) else value
        for value, none, new in zip(values, missing, fill, strict=True)
    ],
    "quantile": _quantile_of_row,
    "bin": lambda values, edges: [value if value != value else float(bisect_right(edges, value)) for value in values],
}


class Chains:
    """Applies the same operations, with other numbers, to several columns at once.

    Parameters
    ----------
    chains
        Of each column, the operations in order: the same names in all. Lists are parameters of a single column.
    """

    def __init__(self, chains: list[list[Mapping[str, Any]]]) -> None:
        self._calls: list[Callable[[_Values], _Values]] = []
        self._row_calls: list[Callable[[list[float]], list[float]]] = []
        for same in zip(*chains, strict=True):
            name = same[0]["operation"]
            function, parameters = OPERATIONS[name]
            if name not in OF_ONE_COLUMN:
                numbers = [
                    np.array([np.nan if each[key] is None else each[key] for each in same], np.float64)
                    for key in parameters
                ]
                call = partial(_call_wide, function, numbers)
            else:
                [only] = same
                numbers = [np.array(only[key], np.float64) for key in parameters]
                call = partial(_call_narrow, function, numbers)
            self._calls.append(call)
            if name in _ROWS:
                self._row_calls.append(partial(_call_row, _ROWS[name], [each.tolist() for each in numbers]))
            else:
                self._row_calls.append(partial(_call_as_array, call))

    def __call__(self, values: _Values) -> _Values:
        """Return the results, same shape as ``values``: ``(n_rows, n_columns)``."""
        for call in self._calls:
            values = call(values)
        return values

    def of_row(self, values: list[float]) -> list[float]:
        """Return the results of one row, the same to the last bit."""
        for call in self._row_calls:
            values = call(values)
        return values


def _call_wide(function: Callable[..., _Values], numbers: list[_Values], values: _Values) -> _Values:
    """Apply a function to all columns."""
    return function(values, *numbers)


def _call_narrow(function: Callable[..., _Values], numbers: list[_Values], values: _Values) -> _Values:
    """Apply a function to the only column."""
    return function(values[:, 0], *numbers)[:, None]


def _call_row(function: Callable[..., list[float]], numbers: list[list[float]], values: list[float]) -> list[float]:
    """Apply a function to one row."""
    return function(values, *numbers)


def _call_as_array(call: Callable[[_Values], _Values], values: list[float]) -> list[float]:
    """Apply a function of arrays to one row: logarithms of other libraries may differ in the last bit."""
    with np.errstate(all="ignore"):
        made: list[float] = call(np.array([values]))[0].tolist()
    return made


def to_single(values: _Values) -> NDArray[np.float32]:
    """Round to float32; what is beyond its range, such as the logarithm of 0, becomes its end. NaN stays."""
    ended: NDArray[np.float32] = np.minimum(np.maximum(values, -LARGEST_NUMBER), LARGEST_NUMBER).astype(np.float32)
    return ended


def look_up(table: NDArray[np.float32], codes: _Values) -> NDArray[np.float32]:
    """Return the features of codes.

    Parameters
    ----------
    table
        A line per code, then those of a new and of a missing value, shape ``(n_codes + 2, n_features)``.
    codes
        Shape ``(n_rows,)``; NaN for a missing value. A number that is no code is a new value.

    Returns
    -------
    Shape ``(n_rows, n_features)``.
    """
    n_codes = len(table) + NEW_LINE
    is_missing = np.isnan(codes)
    known = np.where(is_missing, -1, codes)
    lines = np.where((known >= 0) & (known < n_codes), known, n_codes).astype(np.int64)
    found: NDArray[np.float32] = table[np.where(is_missing, len(table) + MISSING_LINE, lines)]
    return found
