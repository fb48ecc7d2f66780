"""Read the text of a table: decompress it, decode it, and find out how its cells are separated."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.console import warn
from training.data.addresses import TableFile
from training.errors import BadData

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# The first bytes of compressed files.
_DECOMPRESSORS: dict[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"\x28\xb5\x2f\xfd": ("zstd", zstd.decompress),
    b"PK\x03\x04": ("zip", lambda data: _unzip(data)),
}

# The first bytes of files with columns of typed values.
_PARQUET = b"PAR1"
_COLUMNAR = (_PARQUET, b"FEA1", b"ARROW1")

# Longest first: the mark of UTF-32 starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# What old programs write in Western Europe; it decodes almost everything, so it is tried last.
_LAST_RESORT = "cp1252"

# What separates cells, by the frequency of use; the names are for messages.
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}

# Excel writes and reads such a first line.
_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=(.)\"?\r?\n")

_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+|[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")

# Lines from which the form of numbers is guessed.
_GUESSED_LINES = 1000


@dataclass(frozen=True)
class Dialect:
    """How a table is written; an empty value is guessed, and the guess is printed.

    Parameters
    ----------
    separator
        Between cells.
    decimal
        Point or comma.
    thousands
        Between groups of digits; None if there is none.
    encoding
        Of the text, by Python's name.
    """

    separator: str = ""
    decimal: str = ""
    thousands: str | None = None
    encoding: str = ""


GUESS = Dialect()
PLAIN = Dialect(",", ".", None, "utf-8")


@dataclass(frozen=True)
class Text:
    """A decoded table.

    Parameters
    ----------
    content
        UTF-8, without a byte order mark, a line that names the separator, and empty lines at the end.
    dialect
        How it is written.
    first_line
        The number of the header's line in the file, counted from 1.
    columns
        The columns of a Parquet, Feather or Arrow file, with their types.
    """

    content: bytes
    dialect: Dialect
    first_line: int
    columns: pa.Table | None = None


@dataclass(frozen=True)
class RowOrigins:
    """Where the rows of a table come from that was drawn from a larger one, or made of many.

    Parameters
    ----------
    paths
        The files.
    places, lines
        Of each row: the place of its file among them, and the number of the line on which it starts, shape
        ``(n_rows,)``.
    n_rows
        Of all files together.
    seed
        With which the rows were drawn; None if they are all.
    """

    paths: tuple[TableFile, ...]
    places: NDArray[np.int32]
    lines: NDArray[np.int64]
    n_rows: int
    seed: int | None = None


def is_short_text(path: TableFile, n_rows: int) -> bool:
    """Return whether a table is a file of text that is too short for more than so many rows: each takes a byte."""
    if not isinstance(path, Path) or not path.is_file() or path.stat().st_size > n_rows:
        return False
    return not path.read_bytes().startswith((*_DECOMPRESSORS, *_COLUMNAR))


def decompress(path: TableFile, written: bytes) -> bytes:
    """Return the content of a file, decompressed if its first bytes are those of gzip, zstd or zip.

    Raises
    ------
    BadData
        If it cannot be decompressed, or an archive holds more than one file.
    """
    for mark, (called, decompressor) in _DECOMPRESSORS.items():
        if written.startswith(mark):
            try:
                return decompressor(written)
            except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, zstd.ZstdError) as error:
                raise BadData(f"{path} cannot be decompressed as {called} ({error}); compress it again.") from None
    return written


def _read_columns(path: TableFile, written: bytes) -> pa.Table:
    """Read a Parquet, Feather or Arrow file."""
    import pyarrow as pa
    from pyarrow import feather, parquet

    try:
        file = pa.BufferReader(written)
        return parquet.read_table(file) if written.startswith(_PARQUET) else feather.read_table(file)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadData(f"{path} cannot be read ({error}); write it again.") from None


def read_text(path: TableFile, written: bytes, wanted: Dialect = GUESS) -> Text:
    """Decode a table, and find its dialect.

    Parameters
    ----------
    path
        The file, for messages.
    written
        Its content, decompressed: CSV, Parquet or Feather.
    wanted
        What is known of the dialect.

    Raises
    ------
    BadData
        If it is empty or cannot be decoded.
    """
    columns = None
    if written.startswith(_COLUMNAR):
        columns, wanted = _read_columns(path, written), PLAIN
        written = columns.to_pandas().to_csv(index=False).encode()
    text, encoding = _decode(path, written, wanted.encoding)
    first_line, separator = 1, wanted.separator
    if named := _SEPARATOR_LINE.match(text):
        text, first_line, separator = text[named.end() :], 2, separator or named[1]
    text = text.rstrip("\r\n")
    if not text.strip():
        raise BadData(f"{path} is empty; it needs a header and at least one row.")
    separator = separator or _guess_separator(text)
    text = _drop_last_separators(text, separator)
    decimal, thousands = _guess_numbers(text, separator, wanted)
    dialect = Dialect(separator, decimal, thousands, encoding)
    _print_guesses(path, dialect, wanted)
    return Text(text.encode(), dialect, first_line, columns)


def _unzip(data: bytes) -> bytes:
    """Return the only file of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise ValueError(f"it holds {len(names)} files, not one")
        return archive.read(names[0])


def _decode(path: TableFile, written: bytes, encoding: str) -> tuple[str, str]:
    """Decode a text; return the encoding, too."""
    found = encoding or next((name for mark, name in _MARKS if written.startswith(mark)), "")
    try:
        return written.decode(found or "utf-8"), found or "utf-8"
    except LookupError:
        raise BadData(f"{path}: there is no encoding {encoding!r}; name one such as utf-8 or cp1252.") from None
    except UnicodeDecodeError as error:
        line = written.count(b"\n", 0, error.start) + 1
        if not found and b"\0" not in written:
            try:
                return written.decode(_LAST_RESORT), _LAST_RESORT
            except UnicodeDecodeError:
                pass
        raise BadData(
            f"{path} line {line}: this is not {found or 'UTF-8'} text; name the right --encoding, or save it as UTF-8."
        ) from None


def _guess_separator(text: str) -> str:
    """Return the separator that most divides the first line outside of quotes; a comma if none does."""
    outside = re.sub(r'"[^"]*"', "", text.partition("\n")[0])
    return max(_SEPARATORS, key=outside.count)


def _drop_last_separators(text: str, separator: str) -> str:
    """Remove a separator at the end of every line but the header: some programs write one there."""
    header, newline, body = text.partition("\n")
    lines = body.splitlines()
    ends = tuple(separator + end for end in ("", "\r"))
    if not lines or header.rstrip("\r").endswith(separator) or not all(line.endswith(ends) for line in lines[:2]):
        return text
    width = header.count(separator)
    if '"' in text or not all(line.endswith(ends) and line.count(separator) == width + 1 for line in lines):
        return text
    return header + newline + "\n".join(line.rstrip("\r")[: -len(separator)] for line in lines)


def _guess_numbers(text: str, separator: str, wanted: Dialect) -> tuple[str, str | None]:
    """Return how numbers are written, from cells of the first lines."""
    if wanted.decimal:
        return wanted.decimal, wanted.thousands
    lines = text.splitlines()[1:_GUESSED_LINES]
    cells = [cell.strip().strip('"') for line in lines for cell in _split(line, separator)]
    if separator != "," and any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells):
        return ",", wanted.thousands
    if wanted.thousands is None and any(_THOUSANDS.fullmatch(cell) for cell in cells):
        return ".", ","
    return ".", wanted.thousands


def _split(line: str, separator: str) -> list[str]:
    """Split a line into cells; a separator in quotes does not count."""
    if '"' not in line:
        return line.split(separator)
    return re.findall(rf'"[^"]*"|[^{re.escape(separator)}"]+', line)


def _print_guesses(path: TableFile, found: Dialect, wanted: Dialect) -> None:
    """Print what was guessed and is not usual, with the options that state it."""
    guesses: list[tuple[str, str, Any]] = []
    if not wanted.separator and found.separator != ",":
        guesses.append((f"cells separated by {_SEPARATORS[found.separator]}", "--sep", found.separator))
    if not wanted.decimal and found.decimal == ",":
        guesses.append(("a decimal comma", "--decimal", ","))
    if not wanted.thousands and found.thousands == ",":
        guesses.append(("commas between thousands", "--thousands", ","))
    if not wanted.encoding and found.encoding == _LAST_RESORT:
        guesses.append(("text that is not UTF-8", "--encoding", _LAST_RESORT))
    if guesses:
        options = " ".join(f"{option} {value!r}" for _, option, value in guesses)
        warn(f"{path}: guessed {' and '.join(words for words, _, _ in guesses)}; this is what {options} states.")
