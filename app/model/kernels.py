"""Adding up path lengths with ``forest_kernel.c``, compiled ahead of time by ``python -m app.model.build_kernel``.

Notes
-----
Tried on the real sample (100 trees of up to 9 levels, 5,312 nodes), one thread; ratios to scikit-learn's
``score_samples`` for 10,000 rows, and the time for one row, called from Python:

* NumPy over flat arrays: 0.3 times; 64 us a row.
* This kernel, a plain walk of one row after the other: 2.3 times; 2.6 us a row.
* This kernel, eight walks side by side, leaves that point to themselves: 3.9 times; 1.2 us a row.
* Numba reached 2.0 times with the same walk, for 424 MB of packages and 170 MB of memory a worker.

Float32 thresholds halve a node: rows are float32 as well, so rounding a threshold down changes no comparison.

Adding up path lengths with NumPy: slow, exact, everywhere; what the compiled kernel is compared with.
"""

from __future__ import annotations

import ctypes
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.model.forest_arrays import ForestArrays

SOURCE = Path(__file__).with_name("forest_kernel.c")
LIBRARY = Path(__file__).with_name("forest_kernel.so")

_NODE = np.dtype([("threshold", np.float32), ("feature", np.int32), ("left", np.int32)])

# Giving up the interpreter lock and taking it back costs more than a few rows do, and lets other threads in
# between; from here on (about 0.1 ms) they gain by it.
_ROWS_WORTH_RELEASING = 100


class KernelNotBuilt(Exception):
    """There is no compiled kernel that fits the source; the message says why."""


class _ForestStruct(ctypes.Structure):
    """The C struct ``forest``."""

    _fields_ = (
        ("nodes", ctypes.c_void_p),
        ("path_lengths", ctypes.c_void_p),
        ("roots", ctypes.c_void_p),
        ("depths", ctypes.c_void_p),
        ("n_trees", ctypes.c_int32),
        ("n_features", ctypes.c_int32),
    )


class CompiledKernel:
    """Walks eight rows, or eight trees of a single row, side by side.

    Parameters
    ----------
    arrays
        The trees, checked: the C code trusts them.
    library
        The shared library.

    Raises
    ------
    KernelNotBuilt
        If the library is missing, was made from another source, or is none for this machine.
    """

    name = "compiled"

    def __init__(self, arrays: ForestArrays, library: Path = LIBRARY) -> None:
        self._with_lock = _load(ctypes.PyDLL, library)
        self._without_lock = _load(ctypes.CDLL, library)
        # Kept, because the struct holds only their addresses.
        self._memory = lay_out(arrays)
        nodes, path_lengths, roots, depths = self._memory
        self._struct = _ForestStruct(
            nodes.ctypes.data,
            path_lengths.ctypes.data,
            roots.ctypes.data,
            depths.ctypes.data,
            len(roots),
            int(arrays.n_features),
        )
        self._address = ctypes.addressof(self._struct)

    def sum_path_lengths(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Add up each row's path lengths; ``rows`` and the answer as in ``NumpyKernel``."""
        rows = np.ascontiguousarray(rows, np.float32)
        sums = np.empty(len(rows))
        call = self._with_lock if len(rows) < _ROWS_WORTH_RELEASING else self._without_lock
        call(self._address, rows.ctypes.data, len(rows), sums.ctypes.data)
        return sums


def lay_out(
    arrays: ForestArrays,
) -> tuple[NDArray[np.void], NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
    """Put the nodes tree after tree, level after level, siblings side by side.

    Returns
    -------
    Nodes as the C struct ``node`` and their path lengths, both of shape ``(n_nodes,)``; each tree's root and its
    depth in steps, both of shape ``(n_trees,)``.
    """
    new_number = np.zeros(len(arrays.feature), np.int64)
    roots, depths, used = [], [], 0
    for root in arrays.roots:
        level, depth = np.array([root]), 0
        roots.append(used)
        while level.size:
            new_number[level] = np.arange(used, used + len(level))
            used += len(level)
            children = arrays.children[level]
            level = children[children[:, 0] != level].reshape(-1)
            depth += 1
        depths.append(depth - 1)
    nodes = np.zeros(len(arrays.feature), _NODE)
    nodes["threshold"][new_number] = np.where(arrays.is_leaf(), np.inf, _round_down(arrays.threshold))
    nodes["feature"][new_number] = arrays.feature
    nodes["left"][new_number] = new_number[arrays.children[:, 0]]
    path_lengths = np.zeros(len(nodes))
    path_lengths[new_number] = arrays.path_length
    return nodes, path_lengths, np.array(roots, np.int32), np.array(depths, np.int32)


def source_sha256() -> str:
    """Hash the C source; a library knows from which source it was made."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()


def _round_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Give the largest float32 that is not above each threshold: no float32 lies between the two."""
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > thresholds, below, nearest)


def _load(loader: type[ctypes.CDLL], library: Path) -> ctypes._NamedFuncPointer:
    """Open the library and describe its one function."""
    try:
        opened = loader(str(library))
        made_from = ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(opened, "source_sha256"))).decode()
    except (OSError, ValueError) as error:
        raise KernelNotBuilt(f"{library.name} cannot be loaded ({error}): run `make kernel`") from None
    if made_from != source_sha256():
        raise KernelNotBuilt(f"{library.name} was made from another source: run `make kernel`")
    function = opened.sum_path_lengths
    function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
    function.restype = None
    return function


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
