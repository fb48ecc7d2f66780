"""The smallest change that makes an outlier an inlier.

The score is a step function of each feature: between two thresholds of the trees it does not change. So the best change
of one feature is found exactly, by adding up the steps of all trees. Changes of two features are searched only in part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.model.forest import INLIER, Forest
from app.model.kernels import missing_go_to_right, round_down
from app.model.quantiles import ColumnQuantiles
from app.model.shapley import ShapleyTrees

# Far above the rounding of a sum of path lengths, far below the shortest difference of two. What it lets through
# wrongly is noticed when the changed row is scored.
_TOLERANCE = 1e-6

# Two features: how many may be the first, and how many of its values are tried. 24 searches take some milliseconds.
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


@dataclass(frozen=True)
class _Steps:
    """What a row gains by other values of one feature: values above ``low`` and up to ``high`` gain ``gain`` edges."""

    feature: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    gain: NDArray[np.float64]


class Counterfactuals:
    """Finds changes that make an outlier an inlier.

    Parameters
    ----------
    trees
        The trees.
    forest
        The same forest, which scores every change that is found.
    columns
        The training quantiles of each feature.
    """

    def __init__(self, trees: ShapleyTrees, forest: Forest, columns: list[ColumnQuantiles]) -> None:
        self._trees, self._forest, self._columns = trees, forest, columns
        arrays = trees.arrays
        self._threshold = round_down(arrays.threshold)
        self._missing_right = missing_go_to_right(arrays)
        self._is_leaf = arrays.is_leaf()
        # The values of the parent's feature that lead from the root to a node: above low, up to high.
        self._low = np.full(len(arrays.feature), -np.inf, np.float32)
        self._high = np.full(len(arrays.feature), np.inf, np.float32)
        for level in trees.levels[1:]:
            before, threshold = trees.before[level], self._threshold[trees.parent[level]]
            is_right = np.arange(len(level)) % 2 == 1
            is_first = trees.parent[before] == before
            low = np.where(is_first, np.float32(-np.inf), self._low[before])
            high = np.where(is_first, np.float32(np.inf), self._high[before])
            self._low[level] = np.where(is_right, np.maximum(low, threshold), low)
            self._high[level] = np.where(is_right, high, np.minimum(high, threshold))

    def change_one(self, row: NDArray[np.float32]) -> Change | None:
        """Find the smallest change of one feature that makes the row an inlier; None if there is none.

        Parameters
        ----------
        row
            Shape ``(n_features,)``; a missing value is NaN.
        """
        found = min(self._candidates(row), key=lambda change: change.distance, default=None)
        if found is None or self._is_inlier(row, found):
            return found
        # Rounding: take the closest that is an inlier.
        in_order = sorted(self._candidates(row), key=lambda change: change.distance)
        return next((change for change in in_order if self._is_inlier(row, change)), None)

    def change_two(self, row: NDArray[np.float32]) -> Change | None:
        """Search for a small change of two features that makes the row an inlier; None if the search finds none.

        The search is bounded: as first feature it tries the four that gain most, each at the six closest values that
        gain more than all closer ones.
        """
        best: Change | None = None
        for first, value, distance in self._first_changes(row):
            if best is not None and distance >= best.distance:
                continue
            changed = row.copy()
            changed[first] = value
            second = self.change_one(changed)
            if second is None or first in second.values:
                continue
            total = distance + second.distance
            if best is None or total < best.distance:
                best = Change({first: value} | second.values, total)
        return best

    def _is_inlier(self, row: NDArray[np.float32], change: Change) -> bool:
        """Return whether the changed row is an inlier, with the kernel that decides labels."""
        changed = row.tolist()
        for feature, value in change.values.items():
            changed[feature] = value
        return self._forest.score_and_label_row(changed)[1] == INLIER

    def _candidates(self, row: NDArray[np.float32]) -> Iterator[Change]:
        """Yield the closest value of each interval whose values make the row an inlier."""
        needed = self._forest.threshold.path_length_sum - float(self._forest.sum_path_lengths(row[None])[0])
        for feature, values, gains in self._gains(row):
            enough = values[gains >= needed - _TOLERANCE]
            distances = self._columns[feature].distances(float(row[feature]), enough)
            for value, distance in zip(enough.tolist(), distances.tolist(), strict=True):
                yield Change({feature: value}, distance)

    def _first_changes(self, row: NDArray[np.float32]) -> list[tuple[int, float, float]]:
        """Choose features, values and distances of first changes, for changes of two."""
        chosen = []
        for feature, values, gains in self._gains(row):
            distances = self._columns[feature].distances(float(row[feature]), values)
            order = np.argsort(distances, kind="stable")
            best_before = np.maximum.accumulate(np.concatenate([[0.0], gains[order]]))[:-1]
            better = order[gains[order] > best_before]
            # The closest and the most gaining, and some between.
            if len(better):
                picked = better[np.unique(np.linspace(0, len(better) - 1, _MAX_FIRST_VALUES).astype(np.int64))]
                pairs = zip(values[picked].tolist(), distances[picked].tolist(), strict=True)
                chosen.append((float(gains[picked].max()), [(feature, *pair) for pair in pairs]))
        chosen.sort(key=lambda each: each[0], reverse=True)
        return [change for _, changes in chosen[:_MAX_FIRST_FEATURES] for change in changes]

    def _gains(self, row: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float64]]]:
        """Yield, for each feature, the closest value of each interval and what it gains, in edges."""
        steps = self._find_steps(row)
        order = np.argsort(steps.feature, kind="stable")
        features, begins = np.unique(steps.feature[order], return_index=True)
        for feature, one in zip(features.tolist(), np.split(order, begins[1:]), strict=True):
            low, high, gain = steps.low[one], steps.high[one], steps.gain[one]
            ends, position = np.unique(np.concatenate([low, high]), return_inverse=True)
            changes = np.bincount(position, np.concatenate([gain, -gain]), minlength=len(ends))
            # Interval i is above ends[i] and up to ends[i + 1]; before the first and after the last, nothing is gained.
            gains = np.cumsum(changes)[:-1]
            own = row[feature]
            if np.isnan(own):
                # From a missing value, the most ordinary value counts as the closest.
                own = np.float32(self._columns[feature].median)
            above, up_to = np.nextafter(ends[:-1], np.float32(np.inf)), ends[1:]
            values = np.where(above > own, above, np.minimum(up_to, own))
            is_number = np.isfinite(values)
            yield feature, values[is_number], gains[is_number]

    def _find_steps(self, row: NDArray[np.float32]) -> _Steps:
        """Find all leaves that the row reaches if one feature changes, by walking all trees level by level."""
        arrays = self._trees.arrays
        goes_right = self._goes_right(row)
        # The walk of the unchanged row: its nodes, and its leaf in each tree.
        node, tree = arrays.roots.astype(np.int64), np.arange(len(arrays.roots))
        own_leaf = np.empty(len(tree), np.int64)
        # Walks that left it: their nodes, trees, changed features, and the last nodes that tests of these led to.
        off, off_tree = np.empty(0, np.int64), np.empty(0, np.int64)
        off_feature, off_last = np.empty(0, np.int64), np.empty(0, np.int64)
        ended: list[tuple[NDArray[np.int64], ...]] = []
        while node.size or off.size:
            at_end = self._is_leaf[node]
            own_leaf[tree[at_end]] = node[at_end]
            node, tree = node[~at_end], tree[~at_end]
            at_end = self._is_leaf[off]
            ended.append((off[at_end], off_tree[at_end], off_feature[at_end], off_last[at_end]))
            off, off_tree, off_feature, off_last = (part[~at_end] for part in (off, off_tree, off_feature, off_last))
            # The changed feature may go both ways, all others go as the row does.
            is_tested = arrays.feature[off] == off_feature
            both, sides = off[is_tested], goes_right[off[~is_tested]].astype(np.int64)
            left = arrays.children[node, (~goes_right[node]).astype(np.int64)].astype(np.int64)
            pairs = arrays.children[both].reshape(-1).astype(np.int64)
            off = np.concatenate([left, pairs, arrays.children[off[~is_tested], sides]])
            off_tree = np.concatenate([tree, np.repeat(off_tree[is_tested], 2), off_tree[~is_tested]])
            off_last = np.concatenate([left, pairs, off_last[~is_tested]])
            changed = arrays.feature[node].astype(np.int64)
            off_feature = np.concatenate([changed, np.repeat(off_feature[is_tested], 2), off_feature[~is_tested]])
            node = arrays.children[node, goes_right[node].astype(np.int64)].astype(np.int64)
        leaf, in_tree, feature, last = (np.concatenate(parts) for parts in zip(*ended, strict=True))
        low, high = self._low[last], self._high[last]
        # Thresholds may leave no number between them.
        is_possible = low < high
        gain = arrays.path_length[leaf] - arrays.path_length[own_leaf[in_tree]]
        return _Steps(feature[is_possible], low[is_possible], high[is_possible], gain[is_possible])

    def _goes_right(self, row: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return to which side the row goes at each node, shape ``(n_nodes,)``."""
        tested = row[self._trees.arrays.feature]
        sides: NDArray[np.bool_] = (tested > self._threshold) | (np.isnan(tested) & self._missing_right)
        return sides
