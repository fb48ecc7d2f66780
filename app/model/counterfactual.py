"""The smallest change that makes an outlier an inlier.

The score is a step function of each feature: between two thresholds of the trees it does not change. So the best change
of one feature is found exactly, by adding up the steps of all trees. Changes of two features are searched only in part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.model.explain_kernels import ExplainKernel
from app.model.explain_trees import Slots
from app.model.forest import INLIER, Forest
from app.model.quantiles import FROM_MISSING, ColumnQuantiles

# Far above the rounding of a sum of path lengths, far below the shortest difference of two. What it lets through
# wrongly is noticed when the changed row is scored.
_TOLERANCE = 1e-6

# Two features: how many may be the first, and how many of its values are tried: 24 searches.
_MAX_FIRST_FEATURES, _MAX_FIRST_VALUES = 4, 6


@dataclass(frozen=True)
class Change:
    """Another value for one or two features.

    Parameters
    ----------
    values
        New values by number of the feature; they are float32.
    distance
        Sum of the distances in training quantiles.
    """

    values: dict[int, float]
    distance: float


class Counterfactuals:
    """Finds changes that make an outlier an inlier.

    Parameters
    ----------
    forest
        The forest, which scores every change that is found.
    kernel
        Computes what changes gain.
    slots
        The values of each feature between thresholds.
    columns
        The training quantiles of each feature.
    """

    def __init__(self, forest: Forest, kernel: ExplainKernel, slots: Slots, columns: Sequence[ColumnQuantiles]) -> None:
        self._forest, self._kernel, self._slots, self._columns = forest, kernel, slots, columns
        # The smallest and the largest value of each slot, and where they lie in training.
        self._smallest = np.nextafter(slots.low, np.float32(np.inf))
        self._largest = np.minimum(slots.high, np.finfo(np.float32).max)
        # Below a threshold that is less than every float32.
        self._is_empty = self._smallest > self._largest
        self._smallest_at, self._largest_at = (
            np.concatenate(
                [
                    column.positions(part)
                    for column, part in zip(columns, np.split(ends, slots.first[1:-1]), strict=True)
                ]
            )
            for ends in (self._smallest, self._largest)
        )
        self._medians = np.array([column.median for column in columns], np.float32)

    def change_one(self, row: NDArray[np.floating]) -> Change | None:
        """Find the smallest change of one feature that makes the row an inlier; None if there is none.

        Parameters
        ----------
        row
            An outlier, shape ``(n_features,)``; a missing value is NaN.
        """
        row = row.astype(np.float32, copy=False)
        needed = self._forest.threshold.path_length_sum - float(self._forest.sum_path_lengths(row[None])[0])
        slots = np.flatnonzero(self._find_gains(row) >= needed - _TOLERANCE)
        values, distances = self._closest_values(row, slots)
        # The first is an inlier except where rounding let it through.
        for at in _ascending(distances):
            change = Change({int(self._slots.feature[slots[at]]): float(values[at])}, float(distances[at]))
            if self._is_inlier(row, change):
                return change
        return None

    def change_two(self, row: NDArray[np.floating]) -> Change | None:
        """Search for a small change of two features that makes the row an inlier; None if the search finds none.

        The search is bounded: the first feature is one of the four that can gain most, and its value one of at most six
        that gain more than all closer ones. For each, the best second feature is found exactly.

        Parameters
        ----------
        row
            As in :meth:`change_one`.
        """
        row = row.astype(np.float32, copy=False)
        best: Change | None = None
        for first, value, distance in self._first_changes(row):
            if best is not None and distance >= best.distance:
                continue
            changed = row.copy()
            changed[first] = value
            second = self.change_one(changed)
            if second is None or first in second.values:
                continue
            if best is None or distance + second.distance < best.distance:
                best = Change({first: value} | second.values, distance + second.distance)
        return best

    def _find_gains(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute what the row gains in each slot, in edges, shape ``(n_slots,)``; minus infinity in empty slots."""
        gains = self._kernel.gains(row)
        gains[self._is_empty] = -np.inf
        return gains

    def _is_inlier(self, row: NDArray[np.float32], change: Change) -> bool:
        """Return whether the changed row is an inlier, with the kernel that decides labels."""
        changed = row.tolist()
        for feature, value in change.values.items():
            changed[feature] = value
        return self._forest.score_and_label_row(changed)[1] == INLIER

    def _closest_values(
        self, row: NDArray[np.float32], slots: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Find the value in each slot that is closest to the row's, and its distance; shape of ``slots``."""
        is_missing = np.isnan(row)
        # From a missing value, the most ordinary value is the closest.
        own = np.where(is_missing, self._medians, row)
        own_at = np.array([column.position(value) for column, value in zip(self._columns, own.tolist(), strict=True)])
        feature = self._slots.feature[slots]
        smallest, largest, here, here_at = self._smallest[slots], self._largest[slots], own[feature], own_at[feature]
        values = np.clip(here, smallest, largest)
        at = np.clip(here_at, self._smallest_at[slots], self._largest_at[slots])
        return values, np.abs(at - here_at) + FROM_MISSING * is_missing[feature]

    def _first_changes(self, row: NDArray[np.float32]) -> list[tuple[int, float, float]]:
        """Choose features, values and distances of first changes, for changes of two."""
        gains = self._find_gains(row)
        first = self._slots.first
        most = np.maximum.reduceat(gains, first[:-1])
        chosen = []
        for feature in np.argsort(-most, kind="stable")[:_MAX_FIRST_FEATURES].tolist():
            slots = first[feature] + np.flatnonzero(gains[first[feature] : first[feature + 1]] > _TOLERANCE)
            if not slots.size:
                continue
            values, distances = self._closest_values(row, slots)
            order = np.argsort(distances, kind="stable")
            ordered = gains[slots[order]]
            closer = np.maximum.accumulate(np.append(0.0, ordered))[:-1]
            better = order[ordered > closer]
            # The closest, the one that gains most, and some between.
            some = better[np.unique(np.linspace(0, len(better) - 1, _MAX_FIRST_VALUES).astype(np.int64))]
            chosen += [(feature, float(values[at]), float(distances[at])) for at in some]
        return chosen


def _ascending(distances: NDArray[np.float64]) -> Iterator[int]:
    """Yield positions from the smallest distance on; sorts only if more than the first is asked for."""
    if distances.size:
        yield int(np.argmin(distances))
        yield from np.argsort(distances, kind="stable").tolist()
