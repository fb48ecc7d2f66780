"""The numbers of a CSV file: read fast when all is well, cell by cell to name the culprit when it is not."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.model.features import LARGEST_NUMBER
from training.csv_file import CsvFile, is_number
from training.errors import BadData

# Longer cells are cut in messages, which are to stay on one line.
_LONGEST_SHOWN_CELL = 40


def read_numbers(file: CsvFile, names: Sequence[str]) -> NDArray[np.float64]:
    """Read columns of a CSV file as finite numbers.

    Parameters
    ----------
    file
        The opened file; the cells of its other columns may hold anything.
    names
        Columns to read, in the order wanted.

    Returns
    -------
    Shape ``(n_rows, len(names))``, finite, within float32; possibly no rows.

    Raises
    ------
    BadData
        If a cell is empty, not a number, not finite or beyond float32, or a line has too many or too few
        cells. The message names file, line and column.
    """
    rows = _read_fast(file, names)
    return _read_carefully(file, names) if rows is None else rows


def _read_fast(file: CsvFile, names: Sequence[str]) -> NDArray[np.float64] | None:
    """Let pandas read the body; None if anything is not as it should be, or cannot be told."""
    body = file.body
    if not body or b'"' in body:
        return None
    try:
        with warnings.catch_warnings():
            # pandas only warns when it cuts a first line that is too long.
            warnings.simplefilter("error")
            table = pd.read_csv(
                io.BytesIO(body),
                header=None,
                names=list(file.header),
                dtype={name: float if name in names else str for name in file.header},
                index_col=False,
                skip_blank_lines=False,
            )
    except (ValueError, OverflowError, Warning):
        return None
    # pandas fills up a line that is too short and forgives a comma too many at the end: the commas tell.
    if body.count(b",") != len(table) * (len(file.header) - 1):
        return None
    rows = table[list(names)].to_numpy(dtype=np.float64)
    # A comparison with NaN is false.
    return np.ascontiguousarray(rows) if (np.abs(rows) <= LARGEST_NUMBER).all() else None


def _read_carefully(file: CsvFile, names: Sequence[str]) -> NDArray[np.float64]:
    """Read cell by cell, several times slower, and stop at the first culprit."""
    columns = [(file.header.index(name), name) for name in names]
    numbers = [
        [_read_cell(file, line, name, cells[column]) for column, name in columns] for line, cells in file.records()
    ]
    return np.array(numbers, dtype=np.float64).reshape(-1, len(columns))


def _read_cell(file: CsvFile, line: int, column: str, cell: str) -> float:
    """Read one cell as a finite number within float32."""
    place = f"{file.path} line {line}, column {column}"
    if not cell.strip():
        raise BadData(f"{place}: the cell is empty; fill it, or leave the line or (--drop {column}) the column out.")
    shown = repr(cell if len(cell) <= _LONGEST_SHOWN_CELL else cell[:_LONGEST_SHOWN_CELL] + "...")
    if not is_number(cell):
        raise BadData(f"{place}: {shown} is not a number; correct it, or leave the column out with --drop {column}.")
    number = float(cell)
    if not np.isfinite(number):
        raise BadData(f"{place}: {shown} is not a finite number; correct it or leave the line out.")
    if abs(number) > LARGEST_NUMBER:
        raise BadData(f"{place}: {shown} is beyond what float32 holds (3.4e38); scale the column down.")
    return number
