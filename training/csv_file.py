"""A CSV file as it lies on the disk: bytes, digest, header, and records with their line numbers."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.errors import BadData

# What spreadsheets of some countries and databases write where a comma belongs.
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class CsvFile:
    """An opened CSV file: UTF-8, comma-separated, with a header.

    Parameters
    ----------
    path
        Where it was read from.
    sha256
        Digest of the whole file, in hexadecimal.
    header
        Column names in the file's order, without the blanks around them; all different, none empty.
    text
        The file's bytes without byte order mark and without empty lines at the end.
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
        """Give each record below the header with the number of the line on which it starts, counted from 1.

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
                    else f"{self.path} line {line}: the header has {len(self.header)} columns, this line "
                    f"{len(cells)}; give it one cell for each column."
                )
            yield line, cells


def open_csv_file(path: Path) -> CsvFile:
    """Read a CSV file and check its header; the cells below are not looked at.

    Parameters
    ----------
    path
        UTF-8 with or without byte order mark, any line ends, cells quoted or not.

    Raises
    ------
    BadData
        If there is no such file, it cannot be read, is empty, is not UTF-8, is not separated by commas, or
        has no header with different column names.
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
    """Say whether a cell is a number, be it a finite one or not.

    Examples
    --------
    >>> [is_number(cell) for cell in ("-1.5e3", " 2 ", "inf", "1_000", "", "one")]
    [True, True, True, False, False, False]
    """
    try:
        float(cell)
    except ValueError:
        return False
    # Python reads 1_000 as a number, no table program does.
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
    """Refuse what is not UTF-8, naming the line."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise BadData(f"{path} line {line}: this is not UTF-8 text; save the file with the encoding UTF-8.") from None


def _check_header(path: Path, header: tuple[str, ...]) -> None:
    """Refuse a first line that does not name the columns."""
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
    if broken := [name for name in header if len(name.splitlines()) > 1]:
        raise BadData(f"{path} line 1: the column name {broken[0]!r} holds a line end; rename the column.")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise BadData(f"{path} line 1: two columns are called {twice[0]}; rename one of them.")
