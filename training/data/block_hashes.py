"""Hash the rows of a block as Spark's ``sample`` does, and take rows out of it as they are written."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spark.row_keys import bits_of, hash_rows
from training.data.columns import read_texts, to_plain_numbers
from training.data.fast_hashes import Hashes, first_keys, hash_numbers
from training.data.tables import CsvFile, is_number, read_fast
from training.errors import BadData

_LINE = "line"


def is_typed(file: CsvFile) -> bool:
    """Return whether a block has typed columns, all of which are in its header: pandas leaves its index out."""
    return file.columns is not None and file.columns.num_columns == len(file.header)


def count_rows(file: CsvFile) -> int:
    """Count the rows of a block."""
    if file.columns is not None:
        return int(file.columns.num_rows)
    body = file.body
    if _has_whole_lines(body):
        return body.count(b"\n") + 1 if body else 0
    return sum(1 for _ in file.records(checks_width=False))


def hash_block(file: CsvFile, names: Sequence[str], texts: Sequence[str], seed: int) -> tuple[Hashes, Hashes]:
    """Hash rows.

    Parameters
    ----------
    file
        The block.
    names
        The columns that count. In text, a cell counts as the number that it is, else as its text without blanks.
    texts
        Which of them count as texts in any case.
    seed
        From 0 to 2**64 - 1.

    Returns
    -------
    The hashes, and the keys of the rows as the first of their kind; both of shape ``(n_rows,)``.

    Raises
    ------
    BadData
        If a line has more or fewer cells than the header, or a typed column holds lists or the like.
    """
    if not count_rows(file):
        return np.empty(0, np.uint64), np.empty(0, np.uint64)
    if is_typed(file):
        columns = [column.combine_chunks() for column in _name_columns(file).select(list(names)).columns]
        if all(pa.types.is_float64(column.type) and not column.null_count for column in columns):
            return hash_numbers([column.to_numpy() for column in columns], seed)
        bits = [_bits_of_column(file, name, column) for name, column in zip(names, columns, strict=True)]
    else:
        rows = None if set(texts) & set(names) else read_fast(file, names)
        if rows is not None:
            return hash_numbers(list(rows.T), seed)
        cells = read_texts(file, names)
        bits = [_bits_of_cells(cells[name], file, are_texts=name in texts) for name in names]
    hashes = hash_rows(bits, seed)
    return hashes, first_keys(hashes)


def _bits_of_column(file: CsvFile, name: str, column: pa.Array) -> NDArray[np.uint64]:
    """Return the bits of a typed column; times and the like count as their texts."""
    try:
        return bits_of(column)
    except ValueError:
        pass
    try:
        return bits_of(pc.cast(column, pa.string()))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        raise BadData(
            f"{file.path}, column {name}: rows cannot be drawn by values of the type {column.type}; leave the column "
            f"out with --drop {name}."
        ) from None


def _bits_of_cells(cells: pd.Series[str], file: CsvFile, *, are_texts: bool) -> NDArray[np.uint64]:
    """Return the bits of cells of a text."""
    codes, found = pd.factorize(cells)
    distinct = pd.Series(found, dtype=object)
    bits = bits_of(pa.array([text or None for text in found], pa.string()))
    if not are_texts:
        plain = to_plain_numbers(distinct, file)
        are_numbers = plain.map(is_number).to_numpy(bool)
        bits[are_numbers] = bits_of(pa.array([float(text) for text in plain[are_numbers]], pa.float64()))
    return np.asarray(bits[codes])


def split_rows(file: CsvFile) -> pa.Table:
    """Return the rows of a block as Arrow can take some of them: its columns, or a column of lines as they are."""
    if is_typed(file):
        return _name_columns(file)
    body = file.body
    if _has_whole_lines(body):
        body += b"\n"
        ends = np.flatnonzero(np.frombuffer(body, np.uint8) == ord("\n")) + 1
        offsets = pa.py_buffer(np.concatenate([[0], ends]))
        lines = pa.Array.from_buffers(pa.large_binary(), len(ends), [None, offsets, pa.py_buffer(body)])
    else:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n", delimiter=file.dialect.separator)
        written = []
        for _, cells in file.records():
            writer.writerow(cells)
            written.append(text.getvalue().encode())
            text.seek(text.truncate(0))
        lines = pa.array(written, pa.large_binary())
    return pa.table({_LINE: lines})


def join_rows(header: bytes, rows: pa.Table) -> bytes:
    """Return the text of lines of :func:`split_rows` below a header, without the last line end."""
    return b"\n".join([header, b"".join(rows[_LINE].to_pylist())]).rstrip(b"\r\n")


def number_rows(file: CsvFile) -> NDArray[np.int64]:
    """Return the line on which each row of a block starts, counted from 1, shape ``(n_rows,)``."""
    if file.columns is not None or _has_whole_lines(file.body):
        return file.first_line + 1 + np.arange(count_rows(file))
    return np.array([line for line, _ in file.records(checks_width=False)], np.int64)


def _has_whole_lines(body: bytes) -> bool:
    """Return whether each line is a row."""
    return b'"' not in body and (b"\r" not in body or body.count(b"\r") == body.count(b"\r\n"))


def _name_columns(file: CsvFile) -> pa.Table:
    """Return the typed columns under the names of the header, which are without blanks around them."""
    assert file.columns is not None, "only then"
    return file.columns.rename_columns(list(file.header))
