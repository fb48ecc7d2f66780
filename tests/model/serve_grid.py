"""Checks golden rows with many thresholds of one forest: ``python -m tests.model.serve_grid FOLDER``.

A program of its own, so that NumPy can be started with other functions; without scikit-learn, so that it starts fast.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

from app.model.bundle import FOREST_FILE
from app.model.forest import Forest, Threshold
from app.model.forest_arrays import FOREST_ARRAYS, ForestArrays
from app.model.forest_file import check_golden_rows
from app.model.kernels import CompiledKernel, NumpyKernel
from app.server.array_file import read_arrays


def serve_grid(folder: Path) -> None:
    """Check the golden rows of every threshold, with both kernels in turn.

    Parameters
    ----------
    folder
        Has ``forest.npz`` and ``cases.json``, a list of thresholds with their golden rows.

    Raises
    ------
    InvalidBundle
        If a score or label differs.
    """
    with (folder / FOREST_FILE).open("rb") as opened:
        arrays = ForestArrays(**read_arrays(opened, FOREST_ARRAYS[2]))
    cases = json.loads((folder / "cases.json").read_text())
    for case, kernel in zip(cases, itertools.cycle([NumpyKernel, CompiledKernel]), strict=False):
        check_golden_rows(folder, Forest(arrays, Threshold(**case["threshold"]), kernel), case["golden"])


if __name__ == "__main__":
    serve_grid(Path(sys.argv[1]))
