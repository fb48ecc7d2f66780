"""Read the columns of a model from a block: with Arrow if all cells are plain numbers, else cell by cell.

Arrow reads a number as Python does, to the nearest float64, and several times as fast as pandas.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from app.model.schema import LARGEST_NUMBER, Features
from training.data.columnar import with_text
from training.data.dataset import read_features
from training.data.tables import CsvFile


def read_rows(file: CsvFile, features: Features, *, as_written: bool) -> tuple[NDArray[np.float64], bool]:
    """Read the columns of a model, which the table has.

    Parameters
    ----------
    file
        The table.
    features
        The columns of the model.
    as_written
        Whether numbers that are stored as float32 are wanted as their shortest text says, as explanations show them.

    Returns
    -------
    Shape ``(n_rows, n_columns)``, as of ``read_features``, and whether all of their cells are numbers in lines without
    quotes.

    Raises
    ------
    BadData
        If there are no rows, or a cell cannot be used.
    """
    rows = read_typed(file, features, as_written) if file.columns is not None else read_plain(file, features)
    if rows is not None:
        return rows, file.columns is None
    return read_features(with_text(file), features).rows, False


def read_plain(file: CsvFile, features: Features) -> NDArray[np.float64] | None:
    """Read numbers with Arrow; None if a cell is not a number, or may not be one."""
    body = file.body
    if not body or b'"' in body or features.levels or file.dialect.thousands or not file.dialect.separator.isascii():
        return None
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            # The whole text is one block for Arrow as well: it looks for the end of a line only in the next one.
            arrow_csv.ReadOptions(use_threads=False, block_size=len(body) + 1, column_names=list(file.header)),
            arrow_csv.ParseOptions(delimiter=file.dialect.separator, quote_char=False, ignore_empty_lines=False),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(features.names, pa.float64()),
                include_columns=list(features.names),
                null_values=[],
                decimal_point=file.dialect.decimal,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    # Arrow takes a lone carriage return for the end of a line.
    return _to_rows(table, features) if len(table) == body.count(b"\n") + 1 else None


def read_typed(file: CsvFile, features: Features, as_written: bool) -> NDArray[np.float64] | None:
    """Read columns of numbers; None if a column is of another type, or has missing values."""
    assert file.columns is not None, "only then"
    # Names are without blanks around them.
    table = file.columns.rename_columns(list(file.header)).select(list(features.names))
    for column in table.columns:
        is_exact = pa.types.is_integer(column.type) or pa.types.is_float64(column.type)
        if features.levels or column.null_count or not (is_exact or (_is_short(column.type) and not as_written)):
            return None
    return _to_rows(table, features) if len(table) else None


def _is_short(kind: pa.DataType) -> bool:
    """Return whether a type has fewer digits than float64."""
    return bool(pa.types.is_float32(kind) or pa.types.is_float16(kind))


def _to_rows(table: pa.Table, features: Features) -> NDArray[np.float64] | None:
    """Return columns as rows; None if a number is not finite or beyond float32."""
    rows = np.empty((len(table), len(features)))
    for place, name in enumerate(features.names):
        rows[:, place] = table[name].to_numpy()
    # A comparison with NaN is false.
    return rows if (np.abs(rows) <= LARGEST_NUMBER).all() else None
