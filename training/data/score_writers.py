"""Write the rows of a table with columns added to them, block after block: as CSV, Parquet or Feather."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from app.model.bundle import Bundle
from app.model.explained_rows import (
    CONTRIBUTION_PREFIX,
    LABEL_COLUMN,
    P_VALUE_COLUMN,
    SCORE_COLUMN,
    UNFAMILIAR_COLUMN,
)
from app.server.output_file import FORMULA_STARTS, disarm
from training.data.addresses import TableFile
from training.data.columnar import with_text
from training.data.columns import has_plain_lines
from training.data.tables import CsvFile, is_number
from training.errors import BadArgument

# By the end of the target's name.
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_COLUMNAR = {".parquet", ".feather", ".arrow"}

# People who name such a file expect more than CSV in it.
_OTHER_FORMATS = {
    ".xlsx": "Excel",
    ".xls": "Excel",
    ".ods": "OpenDocument",
    ".json": "JSON",
    ".ndjson": "JSON",
    ".zip": "zip",
}

# Python and Arrow write numbers of this size with the same digits; larger and smaller ones in other ways.
_SMALLEST_ALIKE = 1e-4

Added = Mapping[str, Sequence[Any] | NDArray[Any]]


def check_format(target: TableFile) -> None:
    """Refuse a target, with ``BadArgument``, whose name is that of a format that is not written."""
    if (called := _OTHER_FORMATS.get(target.suffix.lower())) is not None:
        raise BadArgument(
            f"--out {target}: {called} cannot be written; use .csv, .csv.gz, .csv.zst, .parquet or .feather."
        )


def is_columnar(target: TableFile) -> bool:
    """Return whether a target holds typed columns, by its name."""
    return target.suffix.lower() in _COLUMNAR


class CsvWriter:
    """Writes text.

    Parameters
    ----------
    target
        Whose name says whether the text is compressed.
    is_raw
        Whether texts that a spreadsheet takes for formulas are copied unchanged.
    """

    def __init__(self, target: TableFile, *, is_raw: bool) -> None:
        self._compression = _COMPRESSIONS.get(target.suffix.lower())
        self._sink: Any = None
        self.convert: Callable[[str], str] = str if is_raw else _disarm_text
        self._is_raw = is_raw

    def render(self, file: CsvFile, added: Added, are_numbers: NDArray[np.bool_] | None) -> bytes:
        """Return the lines of a block.

        Parameters
        ----------
        file
            The block.
        added
            A value for each row, by new column.
        are_numbers
            Which columns of the block hold only numbers, of lines that hold no quotes; None if that is not known.
        """
        file = with_text(file)
        of_scoring = {LABEL_COLUMN, SCORE_COLUMN, P_VALUE_COLUMN, UNFAMILIAR_COLUMN}
        if set(added) <= of_scoring and (are_numbers is not None or has_plain_lines(file)):
            return self._append(file, added, np.zeros(len(file.header), bool) if are_numbers is None else are_numbers)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n", delimiter=file.dialect.separator)
        columns = [values.tolist() if isinstance(values, np.ndarray) else values for values in added.values()]
        writer.writerows(
            [*map(self.convert, cells), *answer]
            for (_, cells), answer in zip(file.records(), zip(*columns, strict=True), strict=True)
        )
        return text.getvalue().encode()

    def begin(self, sink: Any, file: CsvFile, added: Sequence[str]) -> None:
        """Write the header to what accepts bytes."""
        self._sink = sink if self._compression is None else pa.CompressedOutputStream(sink, self._compression)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n", delimiter=file.dialect.separator)
        writer.writerow([*map(self.convert, file.header), *added])
        self._sink.write(text.getvalue().encode())

    def write(self, rendered: bytes) -> None:
        """Write the lines of a block."""
        self._sink.write(rendered)

    def close(self) -> None:
        """Finish the compressed text, if it is compressed."""
        if self._compression is not None:
            self._sink.close()

    def _append(self, file: CsvFile, added: Added, are_numbers: NDArray[np.bool_]) -> bytes:
        """Append the new cells to lines that hold no quotes, without looking at their cells one by one."""
        separator = file.dialect.separator.encode()
        body = file.body.replace(b"\r\n", b"\n")
        if not self._is_raw and not are_numbers.all():
            body = _disarm_cells(body, separator, are_numbers)
        # With a separator in the place of the line end, a line is ready for more cells.
        text = np.frombuffer(body + b"\n", np.uint8).copy()
        ends = np.flatnonzero(text == ord("\n"))
        text[ends] = ord(separator)
        offsets = np.concatenate([[0], ends + 1]).astype(np.int64)
        lines = pa.Array.from_buffers(pa.large_binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(text)])
        parts: list[Any] = [lines]
        for name, values in added.items():
            parts += [_to_cells(name, values), pa.scalar(separator, pa.large_binary())]
        parts[-1] = pa.scalar(b"\n", pa.large_binary())
        _, ends_of_lines, joined = pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.large_binary())).buffers()
        text_of_all: bytes = joined.slice(0, int(np.frombuffer(ends_of_lines, np.int64)[len(ends)])).to_pybytes()
        return text_of_all


def _to_cells(name: str, values: Sequence[Any] | NDArray[Any]) -> pa.Array:
    """Return the texts of a column as ``csv`` writes them."""
    if name == LABEL_COLUMN:
        texts = pc.if_else(pa.array(np.asarray(values) == 1), "1", "-1")
    elif name == SCORE_COLUMN:
        sizes = np.abs(np.asarray(values))
        are_alike = bool(((sizes >= _SMALLEST_ALIKE) & (sizes < 1)).all())
        texts = pa.array(values).cast(pa.string()) if are_alike else pa.array([repr(float(value)) for value in values])
    elif name == P_VALUE_COLUMN:
        # Few different ones.
        coded = pa.array(values).dictionary_encode()
        texts = pa.array([repr(value) for value in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)
    else:
        texts = pa.array(['"' + value.replace('"', '""') + '"' if value else "" for value in values], pa.string())
    return texts.cast(pa.large_binary())


def _disarm_text(cell: str) -> str:
    """Disarm a cell unless it is a number, which may start with a sign."""
    return cell if is_number(cell) else disarm(cell)


def _disarm_cells(body: bytes, separator: bytes, are_numbers: NDArray[np.bool_]) -> bytes:
    """Disarm the cells of lines that hold no quotes."""
    text = np.frombuffer(body, np.uint8)
    ends = np.append(np.flatnonzero((text == ord("\n")) | (text == ord(separator))), len(text))
    starts = np.concatenate([[0], ends[:-1] + 1])
    is_start_of_formula = np.zeros(256, bool)
    is_start_of_formula[[ord(character) for character in FORMULA_STARTS]] = True
    # An empty cell starts with what ends it.
    is_suspect = (starts < ends) & ~are_numbers[np.arange(len(starts)) % len(are_numbers)]
    is_suspect[is_suspect] = is_start_of_formula[text[starts[is_suspect]]]
    spans = zip(starts[is_suspect].tolist(), ends[is_suspect].tolist(), strict=True)
    bad = [start for start, end in spans if not is_number(body[start:end].decode())]
    return np.insert(text, bad, ord("'")).tobytes() if bad else body


class ColumnarWriter:
    """Writes typed columns: those of Parquet, Feather and Arrow keep their types; of CSV, all but numbers are texts.

    Parameters
    ----------
    target
        Whose name says which format.
    bundle
        The model, whose numbers are numbers.
    """

    # Spreadsheets do not run what such a file holds.
    convert: Callable[[str], str] = str

    def __init__(self, target: TableFile, bundle: Bundle) -> None:
        self._features = bundle.features
        self._sink: Any = None
        self._is_parquet = target.suffix.lower() == ".parquet"
        self._writer: Any = None
        self._schema: pa.Schema | None = None

    def render(self, file: CsvFile, added: Added, rows: NDArray[np.float64], *, is_only: bool) -> pa.Table:
        """Return the columns of a block with the new ones."""
        if file.columns is not None:
            table = file.columns
        else:
            levels = self._features.levels or (None,) * rows.shape[1]
            numbers: dict[str, Any] = {
                name: values
                for name, values, known in zip(self._features.names, rows.T, levels, strict=True)
                if known is None
            }
            texts: dict[str, Any] = {}
            if set(file.header) - set(numbers):
                cells = zip(*(cells for _, cells in file.records()), strict=True)
                texts = dict(zip(file.header, cells, strict=True))
            table = pa.table({name: numbers[name] if name in numbers else texts[name] for name in file.header})
        for name, values in added.items():
            column = pa.array(values)
            if column.type == pa.null() and not is_only:
                # This block has no value of it; others may have some.
                holds_numbers = name.startswith((P_VALUE_COLUMN, "baseline", CONTRIBUTION_PREFIX))
                column = column.cast(pa.float64() if holds_numbers else pa.string())
            table = table.append_column(name, column)
        return table

    def begin(self, sink: Any, file: CsvFile, added: Sequence[str]) -> None:
        """Begin a file in what accepts bytes; names and types of the columns are those of the first block."""
        self._sink = sink

    def write(self, table: pa.Table) -> None:
        """Write the columns of a block; the types of the first are those of all."""
        if self._writer is None:
            self._schema = table.schema
            if self._is_parquet:
                self._writer = parquet.ParquetWriter(self._sink, table.schema)
            else:
                # As pyarrow's write_feather compresses.
                self._writer = pa.ipc.new_file(
                    self._sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
                )
        assert self._schema is not None, "set with the writer"
        self._writer.write_table(table.replace_schema_metadata(self._schema.metadata).cast(self._schema))

    def close(self) -> None:
        """Write the end of the file."""
        if self._writer is not None:
            self._writer.close()
