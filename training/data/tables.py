"""Read a CSV file strictly: its digest, its header, its records with line numbers, and the numbers in its columns.

pandas reads the numbers fast if the file is well formed; otherwise they are read cell by cell, to name the bad one.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.errors import count_of
from app.model.schema import LARGEST_NUMBER
from training.errors import BadData

# Used instead of commas by spreadsheets in some countries, and by databases.
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class CsvFile:
    """The content of a CSV file: UTF-8, comma-separated, with a header.

    Parameters
    ----------
    path
        The file.
    sha256
        Digest of the whole file, in hexadecimal.
    header
        Column names in the file's order, without surrounding blanks; all different, none empty.
    text
        The file's bytes without byte order mark and trailing empty lines.
    """

    path: Path
    sha256: str
    header: tuple[str, ...]
    text: bytes

    @property
    def body(self) -> bytes:
        """The text below the header."""
        return self.text.partition(b"\n")[2]

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each record below the header, with the number of the line on which it starts, counted from 1.

        Raises
        ------
        BadData
            If a record has more or fewer cells than the header, or its quotes do not match.
        """
        records = _number_records(self.path, self.text)
        next(records)
        for line, cells in records:
            if len(cells) != len(self.header):
                raise BadData(
                    f"{self.path} line {line}: the line is empty; remove it."
                    if not cells
                    else f"{self.path} line {line}: the header has {count_of(len(self.header), 'column')}, this line "
                    f"{len(cells)}; write one cell for each column."
                )
            yield line, cells


def open_csv_file(path: Path) -> CsvFile:
    """Read a CSV file and check its header, but not the cells below.

    Parameters
    ----------
    path
        UTF-8 with or without byte order mark, any line endings, cells quoted or not.

    Raises
    ------
    BadData
        If there is no such file, it cannot be read, is empty, is not UTF-8, is not separated by commas, or
        has no header with distinct column names.
    """
    try:
        written = path.read_bytes()
    except FileNotFoundError:
        raise BadData(f"{path} does not exist; name a CSV file that does.") from None
    except IsADirectoryError:
        raise BadData(f"{path} is a folder; name the CSV file in it.") from None
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
    text = written.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")
    if not text.strip():
        raise BadData(f"{path} is empty; it needs a header and at least one row.")
    _check_encoding(path, text)
    _, first_record = next(_number_records(path, text))
    header = tuple(cell.strip() for cell in first_record)
    _check_header(path, header)
    return CsvFile(path, hashlib.sha256(written).hexdigest(), header, text)


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


def _number_records(path: Path, text: bytes) -> Iterator[tuple[int, list[str]]]:
    """Split a text into records, each with the number of its first line."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadData(f"{path} line {line}: the quotes do not match ({error}); correct them.") from None
        yield line, cells


def _check_encoding(path: Path, text: bytes) -> None:
    """Refuse text that is not UTF-8, and name the line."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise BadData(f"{path} line {line}: this is not UTF-8 text; save the file with the encoding UTF-8.") from None


def _check_header(path: Path, header: tuple[str, ...]) -> None:
    """Refuse a first line that is not a list of column names."""
    if not header:
        raise BadData(f"{path} line 1: the line is empty; put the column names there.")
    if len(header) == 1:
        for separator, called in _OTHER_SEPARATORS.items():
            if separator in header[0]:
                raise BadData(f"{path} is separated by {called}; save it with commas between the cells.")
    if all(is_number(name) for name in header):
        raise BadData(f"{path} has no header: line 1 holds only numbers; put a line with the column names above it.")
    if "" in header:
        number = header.index("") + 1
        raise BadData(
            f"{path} line 1: column {number} has no name; name it "
            "(pandas writes such a column unless told index=False)."
        )
    for name in header:
        if bad := sorted(character for character in set(name) if _is_unusable(character)):
            called = _UNUSABLE.get(bad[0], "a control character")
            raise BadData(f"{path} line 1: the column name {name!a} holds {called}; rename the column.")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise BadData(f"{path} line 1: two columns are called {twice[0]}; rename one of them.")
    seen: dict[str, str] = {}
    for name in header:
        other = seen.setdefault(_appearance(name), name)
        if other != name:
            raise BadData(f"{path} line 1: the column names {other!a} and {name!a} look equal; rename one of them.")


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


# Longer cells are cut in messages, which should stay on one line.
_MAX_SHOWN_CELL_LENGTH = 40


def read_numbers(file: CsvFile, names: Sequence[str]) -> NDArray[np.float64]:
    """Read columns of a CSV file as finite numbers.

    Parameters
    ----------
    file
        The file; the cells of its other columns may hold anything.
    names
        Columns to read, in this order.

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
    """Read the body with pandas; return None if anything is wrong, or may be."""
    body = file.body
    if not body or b'"' in body:
        return None
    try:
        with warnings.catch_warnings():
            # pandas only warns when it truncates a first line that is too long.
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
    # pandas fills lines that are too short and ignores an extra comma at the end, so count the commas.
    if body.count(b",") != len(table) * (len(file.header) - 1):
        return None
    rows = table[list(names)].to_numpy(dtype=np.float64)
    # A comparison with NaN is false.
    return np.ascontiguousarray(rows) if (np.abs(rows) <= LARGEST_NUMBER).all() else None


def _read_carefully(file: CsvFile, names: Sequence[str]) -> NDArray[np.float64]:
    """Read cell by cell, which is several times slower, and stop at the first bad one."""
    columns = [(file.header.index(name), name) for name in names]
    numbers = [
        [_read_cell(file, line, name, cells[column]) for column, name in columns] for line, cells in file.records()
    ]
    return np.array(numbers, dtype=np.float64).reshape(-1, len(columns))


def _read_cell(file: CsvFile, line: int, column: str, cell: str) -> float:
    """Read one cell as a finite number within float32."""
    place = f"{file.path} line {line}, column {column}"
    if not cell.strip():
        raise BadData(
            f"{place}: the cell is empty; fill it, remove the line, or leave the column out with --drop {column}."
        )
    shown = repr(cell if len(cell) <= _MAX_SHOWN_CELL_LENGTH else cell[:_MAX_SHOWN_CELL_LENGTH] + "...")
    if not is_number(cell):
        raise BadData(f"{place}: {shown} is not a number; correct it, or leave the column out with --drop {column}.")
    number = float(cell)
    if not np.isfinite(number):
        raise BadData(f"{place}: {shown} is not a finite number; correct it or remove the line.")
    if abs(number) > LARGEST_NUMBER:
        raise BadData(f"{place}: {shown} is beyond what float32 holds (3.4e38); scale the column down.")
    return number
