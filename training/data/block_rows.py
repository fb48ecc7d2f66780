"""Read the columns of a model from a block: at once if all cells are plain numbers, else cell by cell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.model.schema import Features
from training.data.columnar import with_text
from training.data.dataset import read_features
from training.data.tables import CsvFile, read_fast, to_rows


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
    if file.columns is not None:
        rows = read_typed(file, features, as_written)
    else:
        rows = None if features.levels else read_fast(file, features.names)
    if rows is not None:
        return rows, file.columns is None
    return read_features(with_text(file), features).rows, False


def read_typed(file: CsvFile, features: Features, as_written: bool) -> NDArray[np.float64] | None:
    """Read columns of numbers; None if a column is of another type, or has missing values."""
    assert file.columns is not None, "only then"
    # Names are without blanks around them.
    table = file.columns.rename_columns(list(file.header)).select(list(features.names))
    for column in table.columns:
        is_exact = pa.types.is_integer(column.type) or pa.types.is_float64(column.type)
        if features.levels or column.null_count or not (is_exact or (_is_short(column.type) and not as_written)):
            return None
    return to_rows(table, features.names) if len(table) else None


def _is_short(kind: pa.DataType) -> bool:
    """Return whether a type has fewer digits than float64."""
    return bool(pa.types.is_float32(kind) or pa.types.is_float16(kind))
