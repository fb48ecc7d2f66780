"""Reading ``forest.npz`` and the threshold, and checking both with the golden rows: rows that scikit-learn answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidBundle
from app.model.encoding import read_encoding
from app.model.forest import SCORE_TOLERANCE, Forest, Threshold
from app.model.forest_arrays import FOREST_ARRAYS, ForestArrays
from app.model.kernels import NumpyKernel
from app.model.schema import LARGEST_NUMBER
from app.server.array_file import read_arrays


def read_forest(file: Path, opened: BinaryIO, manifest: dict[str, Any]) -> Forest:
    """Read the forest, and check that the arrays are trees and the threshold can be theirs.

    Parameters
    ----------
    file, opened
        ``forest.npz``: its path, for messages, and the open file.
    manifest
        The manifest, checked.

    Raises
    ------
    InvalidBundle
        If they do not describe a forest.
    ValueError and others of ``read_arrays``
        If an array is missing, or of another type.
    """
    parts = read_arrays(opened, FOREST_ARRAYS[manifest["format_version"]])
    offset = parts.pop("offset", None)
    arrays = ForestArrays(**parts)
    try:
        if offset is None:
            score, path_length_sum = (float(manifest["threshold"][unit]) for unit in ("score", "path_length_sum"))
            threshold = Threshold(score, path_length_sum)
        else:
            threshold = _find_threshold(float(offset), arrays, manifest["golden"])
        return Forest(arrays, threshold, encoding=read_encoding(manifest))
    except InvalidBundle as error:
        raise InvalidBundle(f"{file} cannot be used: {error} Train it again.") from error


def check_golden_rows(folder: Path, forest: Forest, golden: dict[str, Any]) -> None:
    """Check the forest's answers to the golden rows against scikit-learn's: scores up to rounding, labels exactly.

    Parameters
    ----------
    folder
        The bundle, for the message.
    forest
        The forest.
    golden
        The manifest's ``golden``, whose form was checked.

    Raises
    ------
    InvalidBundle
        If an answer differs.
    """
    scores, labels = forest.score_and_label(_to_rows(golden["rows"], forest.n_columns))
    is_near = np.allclose(scores, golden["anomaly_score"], rtol=0, atol=SCORE_TOLERANCE)
    if not is_near or labels.tolist() != golden["is_inlier"]:
        raise InvalidBundle(f"{folder} does not reproduce the scores of its training: train again on this machine.")


def _find_threshold(score: float, arrays: ForestArrays, golden: dict[str, Any]) -> Threshold:
    """Find the threshold of a bundle of format 1, which has it as a score only.

    The golden rows include those next to the threshold, so their labels show on which side the training machine's
    rounding put them.
    """
    arrays.check()
    sums = NumpyKernel(arrays).sum_path_lengths(_to_rows(golden["rows"], int(arrays.n_features)).astype(np.float32))
    return Threshold.find(score, arrays, sums, np.array(golden["is_inlier"]))


def _to_rows(rows: list[list[float | None]], n_features: int) -> NDArray[np.float64]:
    """Convert golden rows, in which null is a missing value, and check that they fit the forest."""
    numbers = np.array(rows, np.float64)
    if numbers.shape != (len(rows), n_features) or (np.abs(numbers) > LARGEST_NUMBER).any():
        raise ValueError(f"golden.rows must have {n_features} numbers within float32 each")
    return numbers
