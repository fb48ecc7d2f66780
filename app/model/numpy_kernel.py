"""Adding up path lengths with NumPy: slow, exact, everywhere; what the compiled kernel is compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.model.forest_arrays import ForestArrays

# Rows walked at once: 512 rows x 100 trees of 8-byte node numbers are 400 KB, which stays in a core's cache.
_BLOCK_ROWS = 512


class NumpyKernel:
    """Walks all trees with all rows of a block at once.

    A leaf is its own child, so walking on from it changes nothing: all trees take the same number of steps and no
    step asks whether it has arrived.

    Parameters
    ----------
    arrays
        The trees, checked.
    """

    name = "numpy"

    def __init__(self, arrays: ForestArrays) -> None:
        self._arrays = arrays
        self._flat_children = np.ascontiguousarray(arrays.children).reshape(-1)
        self._max_depth = _max_depth(arrays)

    def sum_path_lengths(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Add up each row's path lengths from the first tree to the last.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_features)``.

        Returns
        -------
        Shape ``(n_rows,)``, in edges.
        """
        sums = np.empty(len(rows))
        for start in range(0, len(rows), _BLOCK_ROWS):
            sums[start : start + _BLOCK_ROWS] = self._sum_block(rows[start : start + _BLOCK_ROWS])
        return sums

    def _sum_block(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Add up the path lengths of a few rows."""
        arrays, which_row = self._arrays, np.arange(len(rows))
        nodes: NDArray[np.integer] = np.repeat(arrays.roots[:, None].astype(np.intp), len(rows), axis=1)
        for _ in range(self._max_depth):
            values = rows[which_row, arrays.feature.take(nodes)]
            goes_right = values > arrays.threshold.take(nodes)
            nodes = self._flat_children.take(2 * nodes + goes_right)
        # A running sum adds from the first tree to the last; a plain sum would add pairwise, and its last bits would
        # differ (docs/decisions/0003-sums-in-tree-order.md).
        sums: NDArray[np.float64] = np.add.accumulate(arrays.path_length.take(nodes), axis=0)[-1]
        return sums


def _max_depth(arrays: ForestArrays) -> int:
    """Count the steps from a root to the deepest leaf, over all trees."""
    level, depth = arrays.roots, 0
    while True:
        children = arrays.children[level]
        level = children[children[:, 0] != level].reshape(-1)
        if not level.size:
            return depth
        depth += 1
