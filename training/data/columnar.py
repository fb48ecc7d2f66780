"""Divide files of typed columns, so that memory does not grow with them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from training.data.addresses import TableFile
from training.data.source import PLAIN
from training.data.tables import CsvFile, check_header
from training.errors import BadData

# Of two columns, a few megabytes, like the blocks of a text.
_PART_ROWS = 100_000

PARQUET_MARK = b"PAR1"

# Of a column of a row group, which otherwise is read at once.
_BUFFER_BYTES = 2**20


def with_text(file: CsvFile, names: Sequence[str] = ()) -> CsvFile:
    """Return a block of typed columns with its text; of some columns only, if they are named."""
    if file.columns is None or file.text:
        return file
    columns, header = file.columns, file.header
    if names:
        columns, header = columns.rename_columns(list(header)).select(list(names)), tuple(names)
    text = columns.to_pandas().to_csv(index=False).rstrip("\r\n").encode()
    return replace(file, header=header, text=text)


def divide_columnar(
    path: TableFile, *, writes_text: bool, divides_small: bool = False
) -> Iterator[tuple[CsvFile, float]] | None:
    """Divide a file of typed columns into tables of consecutive rows.

    Parameters
    ----------
    path
        A file in Parquet, Feather or Arrow's format.
    writes_text
        Whether the text of its cells is needed, as it would be in CSV.
    divides_small
        Whether a small file is divided, too, into a single table.

    Returns
    -------
    Tables without text, each with the share of the file that is read with it; None if the file is small, cannot be
    read, or the texts of its cells depend on other rows.
    """
    try:
        with path.open("rb") as opened:
            is_parquet = opened.read(len(PARQUET_MARK)) == PARQUET_MARK
        if is_parquet:
            file = _open_parquet(path)
            schema, n_rows = file.schema_arrow, file.metadata.num_rows
            batches = file.iter_batches(batch_size=_PART_ROWS)
            may_miss = _columns_with_nulls(file.metadata)
        else:
            reader = pa.ipc.open_file(pa.memory_map(os.fspath(path)) if isinstance(path, Path) else path.open())
            schema, n_rows = (
                reader.schema,
                sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches)),
            )
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            may_miss = None
    except (pa.ArrowException, OSError, ValueError):
        return None  # reading it whole then reports why
    is_small = not n_rows or (n_rows <= _PART_ROWS and not divides_small)
    if is_small or not _can_divide(schema, may_miss, writes_text):
        return None
    return _divide(path, schema, batches, n_rows)


def _open_parquet(path: TableFile) -> parquet.ParquetFile:
    """Open a Parquet file to be read in batches."""
    if not isinstance(path, Path):
        return parquet.ParquetFile(path.open())
    # By default, pyarrow buffers all that it is going to read, which is the whole file.
    return parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES)


def _divide(
    path: TableFile, schema: pa.Schema, batches: Iterable[pa.RecordBatch], n_rows: int
) -> Iterator[tuple[CsvFile, float]]:
    """Yield parts of at most so many rows."""
    header = tuple(name.strip() for name in schema.names)
    check_header(path, header, 1)
    n_read = 0
    try:
        for batch in batches:
            for start in range(0, batch.num_rows, _PART_ROWS):
                table = pa.Table.from_batches([batch.slice(start, _PART_ROWS)])
                # The lines are those of the text that is made of the whole file.
                part = CsvFile(path, "", header, b"", PLAIN, 1 + n_read, table)
                n_read += len(table)
                yield part, n_read / n_rows
    except (pa.ArrowException, OSError) as error:
        raise BadData(f"{path} cannot be read ({error}); write it again.") from None


def _columns_with_nulls(metadata: Any) -> frozenset[str]:
    """Return the columns of a Parquet file that have missing values, or may have some."""
    found = set()
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            if column.statistics is None or not column.statistics.has_null_count or column.statistics.null_count:
                found.add(column.path_in_schema)
    return frozenset(found)


def _can_divide(schema: pa.Schema, may_miss: frozenset[str] | None, writes_text: bool) -> bool:
    """Return whether the text of each cell is the same whatever other rows hold."""
    described = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    if any(isinstance(index, str) for index in described.get("index_columns", ())):
        return False  # such a column is left out
    for field in schema:
        kind = field.type
        if pa.types.is_integer(kind):
            # Those with missing values become fractions in pandas.
            if writes_text and (may_miss is None or field.name in may_miss):
                return False
        elif not (
            pa.types.is_floating(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or not writes_text
        ):
            return False
    return True
