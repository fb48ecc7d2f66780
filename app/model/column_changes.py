"""The smallest change that makes an outlier an inlier, of models whose columns are not the forest's features.

A category may take any of its levels: one change, whichever level it is, and the most frequent first. A number may take
any value: the thresholds of the trees are carried back through its operations, so that all values are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.counterfactual import Change
from app.model.encoding import Encoding
from app.model.explain_kernels import ExplainKernel
from app.model.explain_trees import Slots
from app.model.forest import INLIER, Forest
from app.model.quantiles import FROM_MISSING, ColumnLevels, ColumnQuantiles
from app.model.schema import LARGEST_NUMBER
from app.model.transforms import TABLE, Chains, is_rising

# Another level is as far as from the lowest training value of a number to the highest.
_LEVEL_DISTANCE = 1.0

# Far above the rounding of a sum of path lengths; what it lets through wrongly is noticed when the row is scored.
_TOLERANCE = 1e-6

# Two columns: as many may be the first, each with the value that gains most.
_MAX_FIRST = 4

# The largest float32, as a whole number in the order of floats.
_LARGEST_PLACE = int(np.float32(LARGEST_NUMBER).view(np.int32))


class ColumnChanges:
    """Finds changes of one or two columns that make an outlier an inlier.

    Parameters
    ----------
    forest
        The forest.
    encoding
        How its features are made of the columns.
    kernel
        Computes what changes of single features gain.
    slots
        The values of each feature between thresholds.
    columns
        The training quantiles or levels of each column.
    """

    def __init__(
        self,
        forest: Forest,
        encoding: Encoding,
        kernel: ExplainKernel,
        slots: Slots,
        columns: Sequence[ColumnQuantiles | ColumnLevels],
    ) -> None:
        self._forest, self._kernel, self._slots, self._columns = forest, kernel, slots, columns
        # By column: the ends of the values between which no score changes, and the only feature that follows them.
        self._spans: dict[int, tuple[NDArray[np.float64], NDArray[np.float64], int | None]] = {}
        self._levels: dict[int, NDArray[np.float64]] = {}
        for place, column in enumerate(columns):
            if isinstance(column, ColumnLevels):
                self._levels[place] = _order_levels(column)
            elif (spans := _find_spans(encoding, place, slots)) is not None:
                self._spans[place] = spans
        # Of the slots of such features: the column and the ends of its values.
        self._alone = [place for place, (_, _, feature) in self._spans.items() if feature is not None]

    @property
    def left_out(self) -> list[str]:
        """The columns that are not searched: not every larger number has a larger or equal feature."""
        return [
            column.name
            for place, column in enumerate(self._columns)
            if place not in self._spans and place not in self._levels
        ]

    def change_one(self, row: NDArray[np.floating]) -> Change | None:
        """Find the smallest change of one column that makes the row an inlier; None if there is none.

        Parameters
        ----------
        row
            An outlier, shape ``(n_columns,)``; a missing value is NaN.
        """
        row = row.astype(np.float64, copy=False)
        columns, values, distances, sums = self._try_all(row)
        possible = np.flatnonzero(sums >= self._forest.threshold.path_length_sum - _TOLERANCE)
        for at in possible[np.argsort(distances[possible], kind="stable")].tolist():
            change = Change({int(columns[at]): float(values[at])}, float(distances[at]))
            if self._is_inlier(row, change):
                return change
        return None

    def change_two(self, row: NDArray[np.floating]) -> Change | None:
        """Search for a small change of two columns that makes the row an inlier; None if the search finds none.

        The first is one of the four columns that can gain most, with the closest value that gains as much; the best
        second one is found as in :meth:`change_one`.
        """
        row = row.astype(np.float64, copy=False)
        columns, values, distances, sums = self._try_all(row)
        # The largest sums first; of equal ones, the closest.
        order = np.lexsort((distances, -sums))
        firsts: dict[int, int] = {}
        for at in order.tolist():
            firsts.setdefault(int(columns[at]), at)
            if len(firsts) == min(_MAX_FIRST, len(self._columns)):
                break
        best: Change | None = None
        for column, at in firsts.items():
            if best is not None and distances[at] >= best.distance:
                continue
            changed = row.copy()
            changed[column] = values[at]
            second = self.change_one(changed)
            if second is None or column in second.values:
                continue
            total = float(distances[at]) + second.distance
            if best is None or total < best.distance:
                best = Change({column: float(values[at])} | second.values, total)
        return best

    def _try_all(
        self, row: NDArray[np.floating]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the columns, values and distances of all changes, and the path-length sums of the changed row."""
        own = float(self._forest.sum_path_lengths(row[None])[0])
        tried: list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = []
        sums: list[NDArray[np.float64]] = []
        if self._alone:
            gains = self._kernel.gains(self._forest.to_features(row[None])[0])
        scored: list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = []
        for place, (_, _, feature) in self._spans.items():
            values, distances = self._closest_values(row, place)
            made = (np.full(len(values), place), values, distances)
            # A missing value may have an indicator, which changes as well.
            if feature is None or np.isnan(row[place]):
                scored.append(made)
                continue
            tried.append(made)
            first = self._slots.first
            sums.append(own + gains[first[feature] : first[feature + 1]])
        for place, levels in self._levels.items():
            distance = np.where(levels == row[place], 0.0, _LEVEL_DISTANCE)
            scored.append((np.full(len(levels), place), levels, distance))
        for columns, values, _ in scored:
            changed = np.repeat(row[None], len(values), axis=0)
            changed[:, columns[0]] = values
            sums.append(self._forest.sum_path_lengths(changed))
        parts = [*tried, *scored]
        if not parts:
            return np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0)
        columns, values, distances = (np.concatenate(each) for each in zip(*parts, strict=True))
        all_sums = np.concatenate(sums)
        all_sums[np.isnan(values)] = -np.inf
        return columns, values, distances, all_sums

    def _closest_values(self, row: NDArray[np.floating], place: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the closest value in each span of a column, NaN in empty ones, and its distance in quantiles."""
        column, (smallest, largest, _) = self._columns[place], self._spans[place]
        assert isinstance(column, ColumnQuantiles), "it has spans"
        is_missing = bool(np.isnan(row[place]))
        # From a missing value, the most ordinary value is the closest.
        own = column.median if is_missing else float(row[place])
        values = np.where(smallest > largest, np.nan, np.clip(own, smallest, np.maximum(smallest, largest)))
        at = column.positions(np.nan_to_num(values))
        return values, np.abs(at - column.position(own)) + FROM_MISSING * is_missing

    def _is_inlier(self, row: NDArray[np.floating], change: Change) -> bool:
        """Return whether the changed row is an inlier, with the kernel that decides labels."""
        changed = row.tolist()
        for column, value in change.values.items():
            # As it is shown and sent.
            changed[column] = float(str(np.float32(value)))
        return self._forest.score_and_label_row(changed)[1] == INLIER


def _order_levels(column: ColumnLevels) -> NDArray[np.float64]:
    """Return the numbers of the levels that training rows have, the most frequent first."""
    counts = np.array(column.counts)
    order = np.argsort(-counts, kind="stable")
    return order[counts[order] > 0].astype(np.float64)


def _find_spans(
    encoding: Encoding, place: int, slots: Slots
) -> tuple[NDArray[np.float64], NDArray[np.float64], int | None] | None:
    """Return the smallest and the largest value of each span of a column of numbers within which no score changes.

    The third is the feature whose slots these are, if the column has only one. None if the column cannot be searched.
    """
    ends: list[NDArray[np.float64]] = []
    features: list[int] = []
    for feature, step in encoding.parts_of(place):
        thresholds = slots.high[slots.first[feature] : slots.first[feature + 1] - 1].astype(np.float64)
        if step is None:
            ends.append(thresholds)
            features.append(feature)
            continue
        operations = [each for each in step["operations"] if each["operation"] != TABLE]
        if any(each["operation"] == "is_missing" for each in operations):
            continue  # the same for all values
        if not is_rising(operations):
            return None
        if len(operations) < len(step["operations"]):
            n_codes = len(step["operations"][-1]["values"])
            ends.append(_carry_back(operations, np.arange(0.5, n_codes - 1)))
            features += [feature, feature]  # not the only one
        else:
            ends.append(_carry_back(operations, thresholds))
            features.append(feature)
    largest = ends[0] if len(ends) == 1 else np.unique(np.concatenate(ends)) if ends else np.empty(0)
    above = np.nextafter(largest.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    return (
        np.concatenate([[-LARGEST_NUMBER], above]),
        np.concatenate([largest, [LARGEST_NUMBER]]),
        features[0] if len(features) == 1 else None,
    )


def _carry_back(operations: list[Mapping[str, Any]], thresholds: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the largest float32 whose result is at most each threshold, by bisection over all float32.

    The operations are rising; a result above the threshold for all numbers gives the smallest float32.
    """
    chain: Callable[[NDArray[np.float64]], NDArray[np.float64]] = Chains([operations])
    low = np.full(len(thresholds), -_LARGEST_PLACE)
    high = np.full(len(thresholds), _LARGEST_PLACE)
    with np.errstate(all="ignore"):
        while (high > low).any():
            middle = low + (high - low + 1) // 2
            results = chain(_to_floats(middle)[:, None])[:, 0]
            # What has no result, such as the logarithm of a negative number, is below all that have one.
            is_below = np.isnan(results) | (results.astype(np.float32) <= thresholds)
            low, high = np.where(is_below, middle, low), np.where(is_below, high, middle - 1)
    return _to_floats(low)


def _to_floats(places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the float32 at places in the order of floats; 0 is at 0."""
    bits = np.abs(places).astype(np.int32).view(np.float32).astype(np.float64)
    return np.where(places < 0, -bits, bits)
