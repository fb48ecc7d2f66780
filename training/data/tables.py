"""Read a table strictly: its digest, its header, its records with line numbers, and the numbers in its columns.

Arrow reads the numbers fast if the file is well formed; otherwise they are read cell by cell, to name the bad one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.errors import count_of
from app.model.schema import LARGEST_NUMBER
from training.data.addresses import TableFile
from training.data.source import GUESS, PLAIN, Dialect, RowOrigins, Text, decompress, read_text
from training.errors import BadData

if TYPE_CHECKING:
    import pyarrow as pa

# Arrow counts the bytes of a block in 32 bits.
_MAX_ARROW_BYTES = 2**30

# The name of a first column without one.
UNNAMED = "unnamed_index"

# Such as 2026-01-31 12:00 and 31/1/2026, with or without a time.
_TIME = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")


@dataclass(frozen=True)
class CsvFile:
    """The content of a table with a header.

    Parameters
    ----------
    path
        The file.
    sha256
        Digest of the whole file, in hexadecimal.
    header
        Column names in the file's order, without surrounding blanks; all different, none empty.
    text
        The file as UTF-8, without byte order mark and trailing empty lines.
    dialect
        How it is written.
    first_line
        The number of the header's line, counted from 1.
    columns
        The columns with their types, of a file that has such.
    origins
        Where the rows come from, if they are not those of ``path`` in their order.
    """

    path: TableFile
    sha256: str
    header: tuple[str, ...]
    text: bytes
    dialect: Dialect = PLAIN
    first_line: int = 1
    columns: pa.Table | None = None
    origins: RowOrigins | None = None

    def locate(self, position: int) -> str:
        """Return file and line of a row, for messages; its position is counted from 0."""
        if self.origins is not None:
            return f"{self.origins.paths[self.origins.places[position]]} line {self.origins.lines[position]}"
        line, _ = next(itertools.islice(self.records(), position, None))
        return f"{self.path} line {line}"

    @property
    def body(self) -> bytes:
        """The text below the header."""
        return self.text.partition(b"\n")[2]

    def records(self, *, checks_width: bool = True) -> Iterator[tuple[int, list[str]]]:
        """Yield each record below the header, with the number of the line on which it starts, counted from 1.

        Parameters
        ----------
        checks_width
            Whether a record with more or fewer cells than the header is refused.

        Raises
        ------
        BadData
            If a record has more or fewer cells than the header, or its quotes do not match.
        """
        records = _number_records(self.path, self.text, self.dialect.separator, self.first_line)
        next(records)
        for line, cells in records:
            if checks_width and len(cells) != len(self.header):
                raise BadData(
                    f"{self.path} line {line}: the line is empty; remove it."
                    if not cells
                    else f"{self.path} line {line}: the header has {count_of(len(self.header), 'column')}, this line "
                    f"{len(cells)}; write one cell for each column."
                )
            yield line, cells


def open_csv_file(path: TableFile, dialect: Dialect = GUESS) -> CsvFile:
    """Read a table and check its header, but not the cells below.

    Parameters
    ----------
    path
        CSV with any line endings, cells quoted or not, perhaps compressed with gzip, zstd or zip; Parquet or Feather.
    dialect
        How a CSV file is written, as far as it is known.

    Raises
    ------
    BadData
        If it cannot be read, is empty, or has no header with distinct column names.
    """
    try:
        written = path.read_bytes()
    except FileNotFoundError:
        raise BadData(f"{path} does not exist; name a CSV file that does.") from None
    except IsADirectoryError:
        raise BadData(f"{path} is a folder; name the CSV file in it.") from None
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
    return make_csv_file(path, read_text(path, decompress(path, written), dialect), hashlib.sha256(written).hexdigest())


def make_csv_file(path: TableFile, text: Text, sha256: str) -> CsvFile:
    """Check the header of a table whose text is known, or its beginning; arguments and errors as above."""
    records = _number_records(path, text.content, text.dialect.separator, text.first_line)
    header = tuple(cell.strip() for cell in next(records)[1])
    if header and not header[0] and len(header) > 1:  # pandas writes its index so
        header = (UNNAMED, *header[1:])
    check_header(path, header, text.first_line)
    _check_that_it_is_one(path, header, next(records, (0, []))[1])
    return CsvFile(path, sha256, header, text.content, text.dialect, text.first_line, text.columns)


def is_number(cell: str) -> bool:
    """Return whether a cell is a number, finite or not.

    Examples
    --------
    >>> [is_number(cell) for cell in ("-1.5e3", " 2 ", "inf", "1_000", "", "one")]
    [True, True, True, False, False, False]
    """
    try:
        float(cell)
    except ValueError:
        return False
    # Python reads 1_000 as a number; no table program does.
    return "_" not in cell


def _number_records(path: TableFile, text: bytes, separator: str, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """Split a text into records, each with the number of its first line."""
    lines = io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline="")
    reader = csv.reader(lines, strict=True, delimiter=separator)
    while True:
        line = reader.line_num + first_line
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadData(f"{path} line {line}: the quotes do not match ({error}); correct them.") from None
        yield line, cells


def _check_that_it_is_one(path: TableFile, header: tuple[str, ...], first: list[str]) -> None:
    """Refuse a first line like the cells below: a number or time above another, and every text above an equal one."""
    pairs = list(zip(header, first, strict=False))
    is_data = [_is_datum(name) and _is_datum(cell) for name, cell in pairs]
    if any(is_data) and not any(_is_datum(cell) and not alike for alike, (_, cell) in zip(is_data, pairs, strict=True)):
        texts = [pair for pair, alike in zip(pairs, is_data, strict=True) if not alike]
        if all(name == cell.strip() for name, cell in texts):
            names = ",".join(f"column_{number}" for number in range(1, len(header) + 1))
            raise BadData(
                f"{path} has no header: line 1 looks like the lines below; put names above it: "
                f"sed -i '1i {names}' {path}"
            )


def _is_datum(cell: str) -> bool:
    """Return whether a cell is a number or starts like a time."""
    return is_number(cell) or _TIME.match(cell.strip()) is not None


def check_header(path: TableFile, header: tuple[str, ...], line: int) -> None:
    """Refuse a first line that is not a list of column names."""
    if not header:
        raise BadData(f"{path} line {line}: the line is empty; put the column names there.")
    if all(is_number(name) for name in header):
        raise BadData(f"{path} has no header: line 1 holds only numbers; put a line with the column names above it.")
    if "" in header:
        number = header.index("") + 1
        raise BadData(f"{path} line {line}: column {number} has no name; name it.")
    for name in header:
        if bad := sorted(character for character in set(name) if _is_unusable(character)):
            called = _UNUSABLE.get(bad[0], "a control character")
            raise BadData(f"{path} line {line}: the column name {name!a} holds {called}; rename the column.")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise BadData(f"{path} line {line}: two columns are called {twice[0]}; rename one of them.")
    seen: dict[str, str] = {}
    for name in header:
        other = seen.setdefault(_appearance(name), name)
        if other != name:
            raise BadData(
                f"{path} line {line}: the column names {other!a} and {name!a} look equal; rename one of them."
            )


# What no name may hold, besides other control characters: files, databases and terminals cut or mangle it.
_UNUSABLE = {
    "\n": "a line end",
    "\r": "a line end",
    "\0": "a NUL character",
    "\ufeff": "a byte order mark (was the file joined from several, or saved twice with one?)",
}


def _is_unusable(character: str) -> bool:
    """Return whether a character cannot be part of a column's name."""
    # Cc: control characters; Zl, Zp: separators of lines and paragraphs.
    return character in _UNUSABLE or unicodedata.category(character) in ("Cc", "Zl", "Zp")


def _appearance(name: str) -> str:
    r"""Return a name without what nobody sees: composition of accents, invisible characters, kind and number of blanks.

    Examples
    --------
    >>> _appearance("Gro\u0308\xdfe") == _appearance("Gr\xf6\xdfe"), _appearance("a\u200b \xa0b")
    (True, 'a b')
    """
    visible = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf")
    return " ".join(visible.split())


def read_fast(file: CsvFile, names: Sequence[str]) -> NDArray[np.float64] | None:
    """Read columns of finite numbers within float32 with Arrow; return None if anything is wrong, or may be.

    Parameters
    ----------
    file
        The file; the cells of its other columns may hold anything.
    names
        Columns to read, in this order.

    Returns
    -------
    Shape ``(n_rows, len(names))``; each number is the nearest float64, as Python reads it.
    """
    body = file.body
    if not body or b'"' in body or file.dialect.thousands or not file.dialect.separator.isascii():
        return None
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            # The whole text is one block for Arrow as well: it looks for the end of a line only in the next one.
            arrow_csv.ReadOptions(
                use_threads=False, block_size=min(len(body) + 1, _MAX_ARROW_BYTES), column_names=list(file.header)
            ),
            arrow_csv.ParseOptions(delimiter=file.dialect.separator, quote_char=False, ignore_empty_lines=False),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.float64()),
                include_columns=list(names),
                null_values=[],
                decimal_point=file.dialect.decimal,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    # Arrow takes a lone carriage return for the end of a line.
    return to_rows(table, names) if len(table) == body.count(b"\n") + 1 else None


def to_rows(table: pa.Table, names: Sequence[str]) -> NDArray[np.float64] | None:
    """Return columns of numbers as rows; None if one is not finite or beyond float32."""
    rows = np.empty((len(table), len(names)))
    for place, name in enumerate(names):
        rows[:, place] = table[name].to_numpy()
    # A comparison with NaN is false.
    return rows if (np.abs(rows) <= LARGEST_NUMBER).all() else None
