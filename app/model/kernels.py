"""Kernels that sum path lengths: one in C, compiled by ``python -m app.model.build_kernel``, and one in NumPy.

The NumPy kernel is slow and works everywhere; both give equal sums.

Notes
-----
Measured on the real sample (100 trees of up to 9 levels, 5,312 nodes) with one thread: throughput relative to
scikit-learn's ``score_samples`` for 10,000 rows, and the time for one row, called from Python.

* NumPy over flat arrays: 0.3 times; 64 us a row.
* C, one walk after the other: 2.3 times; 2.6 us a row.
* C, eight parallel walks, leaves that are their own children: 3.9 times; 1.2 us a row.
* C, many rows in lanes of a byte (docs/decisions/0040-many-rows-in-lanes.md): 6 to 8 times as many as by eight walks.
* Numba with the same walk: 2.0 times, for 424 MB of packages and 170 MB of memory per worker.

Float32 thresholds halve the size of a node: rows are float32 as well, so rounding a threshold down changes no
comparison.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.forest_arrays import ForestArrays, round_down
from app.model.ranked_trees import Part, rank_trees

SOURCE = Path(__file__).with_name("forest_kernel.c")
HEADER = Path(__file__).with_name("forest_lanes.h")
EXPLAIN_SOURCE = Path(__file__).with_name("explain_kernel.c")
EXPLAIN_HEADER = Path(__file__).with_name("explain_lanes.h")
WINDOW_SOURCE = Path(__file__).with_name("window_kernel.c")
HASH_SOURCE = Path(__file__).with_name("hash_kernel.c")
LIBRARY = Path(__file__).with_name("forest_kernel.so")

_NODE = np.dtype([("threshold", np.float32), ("feature", np.int32), ("left", np.int32)])

# Releasing and retaking the interpreter lock costs more than scoring a few rows. From this number on (some 20 us with
# 100 trees, 0.1 ms where they are walked), it is worth it, as other threads can run.
_MIN_ROWS_TO_RELEASE_LOCK = 100

# Rows walked at once by NumPy: 512 rows x 100 trees of 8-byte node numbers are 400 KB, which fits into a core's cache.
_BLOCK_ROWS = 512


class KernelNotBuilt(Exception):
    """There is no compiled kernel for this source; the message has the reason."""


class _PartStruct(ctypes.Structure):
    """The C struct ``part``."""

    _fields_ = (
        ("nodes", ctypes.c_void_p),
        ("first_nodes", ctypes.c_void_p),
        ("path_lengths", ctypes.c_void_p),
        ("first_leaves", ctypes.c_void_p),
        ("thresholds", ctypes.c_void_p),
        ("first_thresholds", ctypes.c_void_p),
        ("ranks", ctypes.c_void_p),
        ("n_trees", ctypes.c_int32),
        ("trees_in_group", ctypes.c_int32),
    )

    @classmethod
    def of(cls, part: Part) -> _PartStruct:
        """Return the struct, which holds only addresses of the arrays."""
        arrays = [array.ctypes.data for array in vars(part).values() if isinstance(array, np.ndarray)]
        return cls(*arrays, len(part.first_leaves), part.trees_in_group)


class _ForestStruct(ctypes.Structure):
    """The C struct ``forest``."""

    _fields_ = (
        ("nodes", ctypes.c_void_p),
        ("path_lengths", ctypes.c_void_p),
        ("roots", ctypes.c_void_p),
        ("depths", ctypes.c_void_p),
        ("missing_right", ctypes.c_void_p),
        ("parts", ctypes.c_void_p),
        ("n_trees", ctypes.c_int32),
        ("n_features", ctypes.c_int32),
        ("n_parts", ctypes.c_int32),
    )


class CompiledKernel:
    """Computes many rows in lanes of a byte; of few, walks eight rows, or eight trees of a single row, in parallel.

    Parameters
    ----------
    arrays
        The trees, which must be checked: the C code trusts them.
    library
        The shared library.

    Raises
    ------
    KernelNotBuilt
        If the library is missing, was compiled from another source, or is not for this machine.
    """

    name = "compiled"

    def __init__(self, arrays: ForestArrays, library: Path = LIBRARY) -> None:
        types = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
        self._with_lock, self._without_lock = load_functions(library, "sum_path_lengths", types)
        # Must stay referenced, as the structs hold only the addresses.
        self._memory, self._parts = to_nodes(arrays), rank_trees(arrays)
        self._part_structs = (_PartStruct * len(self._parts))(*map(_PartStruct.of, self._parts))
        self._struct = _ForestStruct(
            *(part.ctypes.data for part in self._memory),
            ctypes.addressof(self._part_structs),
            len(arrays.roots),
            int(arrays.n_features),
            len(self._parts),
        )
        self._address = ctypes.addressof(self._struct)
        self._row_type = ctypes.c_float * int(arrays.n_features)

    def sum_path_lengths(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum the path lengths of each row; shapes as in ``NumpyKernel``."""
        rows = np.ascontiguousarray(rows, np.float32)
        sums = np.empty(len(rows))
        call = self._with_lock if len(rows) < _MIN_ROWS_TO_RELEASE_LOCK else self._without_lock
        call(self._address, rows.ctypes.data, len(rows), sums.ctypes.data)
        return sums

    def sum_path_lengths_of_row(self, row: Sequence[float]) -> float:
        """Sum the path lengths of one row of numbers within float32, which are rounded to float32."""
        # Arrays of ctypes are made in a fraction of the time that NumPy's take.
        values, total = self._row_type(*row), ctypes.c_double()
        self._with_lock(self._address, values, 1, ctypes.byref(total))
        return total.value


def to_nodes(
    arrays: ForestArrays,
) -> tuple[NDArray[np.void], NDArray[np.float64], NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8]]:
    """Convert the trees to C structs, tree after tree and level after level, with siblings next to each other.

    Returns
    -------
    Nodes as the C struct ``node`` and their path lengths, both of shape ``(n_nodes,)``; each tree's root and its
    depth in steps, both of shape ``(n_trees,)``; whether missing values go to the right, shape ``(n_nodes,)``.
    """
    is_leaf = arrays.is_leaf()
    levels, trees = zip(*arrays.levels(), strict=True)
    depths = np.zeros(len(arrays.roots), np.int32)
    for depth, tree in enumerate(trees):
        depths[tree] = depth
    all_trees = np.concatenate(trees)
    # A stable sort keeps the levels of a tree, and siblings within a level, in their order.
    order = np.concatenate(levels)[np.argsort(all_trees, kind="stable")]
    new_number = np.zeros(len(arrays.feature), np.int64)
    new_number[order] = np.arange(len(order))
    roots = new_number[arrays.roots]
    nodes = np.zeros(len(order), _NODE)
    nodes["threshold"] = np.where(is_leaf[order], np.inf, round_down(arrays.threshold[order]))
    nodes["feature"] = arrays.feature[order]
    nodes["left"] = new_number[arrays.children[order, 0]]
    path_lengths = arrays.path_length[order].astype(np.float64)
    missing_right = arrays.missing_go_to_right()[order].astype(np.uint8)
    return nodes, path_lengths, roots.astype(np.int32), depths, missing_right


def source_sha256() -> str:
    """Return the sha256 of the C sources, which is also compiled into the library."""
    sources = (SOURCE, HEADER, EXPLAIN_SOURCE, EXPLAIN_HEADER, WINDOW_SOURCE, HASH_SOURCE)
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()


def load_functions(
    library: Path, name: str, types: tuple[type[ctypes._SimpleCData[Any]], ...]
) -> tuple[ctypes._NamedFuncPointer, ctypes._NamedFuncPointer]:
    """Load a function that returns nothing.

    Parameters
    ----------
    library
        The shared library.
    name
        The function.
    types
        Of its arguments.

    Returns
    -------
    The function that keeps the interpreter lock, and the same one that releases it.

    Raises
    ------
    KernelNotBuilt
        If the library is missing, was compiled from another source, or is not for this machine.
    """
    functions = []
    for loader in (ctypes.PyDLL, ctypes.CDLL):
        function = getattr(_load_library(loader, library), name)
        function.argtypes, function.restype = types, None
        functions.append(function)
    return functions[0], functions[1]


@cache
def find_function(name: str, types: tuple[type[ctypes._SimpleCData[Any]], ...]) -> ctypes._NamedFuncPointer | None:
    """Load a function of the compiled library that releases the interpreter lock; None if there is none."""
    try:
        return load_functions(LIBRARY, name, types)[1]
    except KernelNotBuilt:
        return None


def _load_library(loader: type[ctypes.CDLL], library: Path) -> ctypes.CDLL:
    """Load the library, and check that it was compiled from this source."""
    try:
        opened = loader(str(library))
        made_from = ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(opened, "source_sha256"))).decode()
    except (OSError, ValueError) as error:
        raise KernelNotBuilt(f"{library.name} cannot be loaded ({error}): run `make kernel`") from None
    if made_from != source_sha256():
        raise KernelNotBuilt(f"{library.name} was compiled from another source: run `make kernel`")
    return opened


class NumpyKernel:
    """Walks all trees with all rows of a block at once.

    A leaf is its own child, so further steps change nothing: all trees take the same number of steps, and no step has
    to check for a leaf.

    Parameters
    ----------
    arrays
        The trees, which must be checked.
    """

    name = "numpy"

    def __init__(self, arrays: ForestArrays) -> None:
        self._arrays = arrays
        self._flat_children = np.ascontiguousarray(arrays.children).reshape(-1)
        self._missing_right = arrays.missing_go_to_right()
        self._max_depth = _max_depth(arrays)

    def sum_path_lengths(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum the path lengths of each row from the first tree to the last.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_features)``; a missing value is NaN.

        Returns
        -------
        Shape ``(n_rows,)``, in edges.
        """
        sums = np.empty(len(rows))
        for start in range(0, len(rows), _BLOCK_ROWS):
            sums[start : start + _BLOCK_ROWS] = self._sum_block(rows[start : start + _BLOCK_ROWS])
        return sums

    def sum_path_lengths_of_row(self, row: Sequence[float]) -> float:
        """Sum the path lengths of one row of numbers within float32."""
        return float(self._sum_block(np.array([row], np.float32))[0])

    def _sum_block(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum the path lengths of a block of rows."""
        arrays, which_row = self._arrays, np.arange(len(rows))
        nodes: NDArray[np.integer] = np.repeat(arrays.roots[:, None].astype(np.intp), len(rows), axis=1)
        is_missing = np.isnan(rows).any()
        for _ in range(self._max_depth):
            values = rows[which_row, arrays.feature.take(nodes)]
            goes_right = values > arrays.threshold.take(nodes)
            if is_missing:
                goes_right |= np.isnan(values) & self._missing_right.take(nodes)
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
