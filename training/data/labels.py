"""Read the column of true labels: to evaluate a forest, never to fit it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.columns import read_numbers
from training.data.tables import CsvFile
from training.errors import BadData


@dataclass(frozen=True)
class Labels:
    """The true labels of rows.

    Parameters
    ----------
    column
        The column with the labels.
    is_outlier
        Shape ``(n_rows,)``.
    """

    column: str
    is_outlier: NDArray[np.bool_]


def read_labels(file: CsvFile, column: str) -> Labels:
    """Read which rows are outliers.

    Parameters
    ----------
    file
        The file; it has the column.
    column
        Its cells are 0 (inlier) and 1 (outlier), as data sets mark them, or 1 (inlier) and -1 (outlier), as
        scikit-learn does.

    Raises
    ------
    BadData
        If a cell is something else, both conventions are mixed, or every cell is 1, which is ambiguous.
    """
    marks = read_numbers(file, [column])[:, 0]
    found = set(np.unique(marks).tolist())
    if strange := found - {-1.0, 0.0, 1.0}:
        raise BadData(
            f"{_find(file, column, marks, min(strange))}: {min(strange):g} is not a label; write 0 for inliers and "
            "1 for outliers, or 1 for inliers and -1 for outliers."
        )
    if found >= {-1.0, 0.0}:
        raise BadData(
            f"{_find(file, column, marks, -1)}: this label is -1 and others are 0; write 0 for inliers and 1 for "
            "outliers, or 1 for inliers and -1 for outliers."
        )
    if found == {1.0}:
        raise BadData(
            f"{file.path}, column {column}: every label is 1, which means only outliers if 0 are inliers, and only "
            "inliers if -1 are outliers; write 0 for inliers, -1 for outliers, or leave the column out of this file."
        )
    return Labels(column, np.equal(marks, -1 if -1.0 in found else 1))


def _find(file: CsvFile, column: str, marks: NDArray[np.float64], wanted: float) -> str:
    """Return where the wanted number occurs first."""
    position = int((marks == wanted).argmax())
    return f"{file.locate(position)}, column {column}"
