"""Read a table of any size block by block, so that memory does not grow with the file.

A block is a small table with the header of the file and the numbers of its lines, so everything that reads a table
reads a block, and messages name the right line. Not every table can be divided before all of it is known: text in an
encoding other than UTF-8, a separator at the end of every line, zip archives, pipes, and columns whose texts
depend on each other, such as times in Parquet. These are one block, which is read as ``tables`` reads a file.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from training.data.addresses import TableFile
from training.data.columnar import PARQUET_MARK, divide_columnar
from training.data.source import GUESS, Dialect, read_text
from training.data.tables import CsvFile, make_csv_file, open_csv_file
from training.errors import BadData

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# What is computed from a block takes about ten times its size, and each thread has two of them.
BLOCK_BYTES = 4 * 2**20

_GZIP, _ZSTD, _ARROW = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"ARROW1"
_LONGEST_MARK = 6


@dataclass(frozen=True)
class Block:
    """Some consecutive rows of a table.

    Parameters
    ----------
    file
        The rows, as a table.
    share
        Of the file that is read with this block, in (0, 1].
    is_only
        Whether it holds the whole table.
    """

    file: CsvFile
    share: float
    is_only: bool = False


@dataclass(frozen=True)
class _Scan:
    """What has to be known of a text before it is divided: how long it is, and what is below its header."""

    n_bytes: int = 0
    has_quotes: bool = False
    has_lone_returns: bool = False
    is_utf8: bool = True


def read_blocks(
    path: TableFile, dialect: Dialect = GUESS, *, writes_text: bool = True, divides_small: bool = False
) -> Generator[Block]:
    """Yield the rows of a table in their order; at least one block, which may have no rows.

    Parameters
    ----------
    path
        A table in any form that ``open_csv_file`` reads.
    dialect
        How a CSV file is written, as far as it is known.
    writes_text
        Whether the text of typed columns is needed, as it would be in CSV.
    divides_small
        Whether a small file of typed columns is a block without text, too.

    Raises
    ------
    BadData
        If it cannot be read, is empty, or has no header with distinct column names; later, if its quotes do not match.
    """
    mark = _read_mark(path)
    if mark.startswith(PARQUET_MARK) or mark.startswith(_ARROW):
        parts = divide_columnar(path, writes_text=writes_text, divides_small=divides_small)
        if parts is None:
            yield Block(open_csv_file(path, dialect), 1.0, is_only=True)
            return
        for part, share in parts:
            yield Block(part, share)
    elif mark and (scan := _scan(path, mark)).is_utf8 and scan.n_bytes > BLOCK_BYTES:
        yield from _read_csv(path, mark, scan, dialect)
    else:
        yield Block(open_csv_file(path, dialect), 1.0, is_only=True)


def _read_mark(path: TableFile) -> bytes:
    """Return the first bytes of a file; none if it can only be read once, or not at all."""
    if isinstance(path, Path) and not path.is_file():
        return b""
    try:
        with path.open("rb") as opened:
            mark = opened.read(_LONGEST_MARK)
            # Not all servers send parts.
            opened.seek(0, io.SEEK_END)
            return mark
    except (OSError, BadData):
        return b""  # open_csv_file then reports why


def _open(path: TableFile, mark: bytes) -> tuple[IO[bytes], IO[bytes]]:
    """Open a file; return what is in it, and the file itself, whose position shows how much has been read."""
    raw = path.open("rb")
    if mark.startswith(_GZIP):
        return io.BufferedReader(gzip.GzipFile(fileobj=raw)), raw
    if mark.startswith(_ZSTD):
        opened: Any = zstd.ZstdFile(raw)
        return opened, raw
    return raw, raw


def _scan(path: TableFile, mark: bytes) -> _Scan:
    """Read a text once, without looking at its cells."""
    n_bytes = 0
    has_quotes = has_lone_returns = ends_with_return = False
    if mark.startswith((b"PK\x03\x04", b"FEA1")):
        return _Scan(is_utf8=False)
    decoder = codecs.getincrementaldecoder("utf-8")()
    stream, raw = _open(path, mark)
    with raw, stream:
        try:
            while data := stream.read(BLOCK_BYTES):
                header, _, rest = data.partition(b"\n")
                # Some programs quote names and nothing else; with an odd number of quotes, the line is not the header.
                is_header = not n_bytes and header.count(b'"') % 2 == 0
                n_bytes += len(data)
                has_quotes = has_quotes or b'"' in (rest if is_header else data)
                has_lone_returns = has_lone_returns or (ends_with_return and not data.startswith(b"\n"))
                if b"\r" in data:
                    n_ends = data.count(b"\r") - data.endswith(b"\r")
                    has_lone_returns = has_lone_returns or n_ends != data.count(b"\r\n")
                ends_with_return = data.endswith(b"\r")
                if decoder.getstate()[0] or not data.isascii():
                    decoder.decode(data)
            decoder.decode(b"", final=True)
        except (UnicodeDecodeError, OSError, EOFError, zstd.ZstdError):
            return _Scan(is_utf8=False)
    return _Scan(n_bytes, has_quotes, has_lone_returns)


def _read_csv(path: TableFile, mark: bytes, scan: _Scan, wanted: Dialect) -> Iterator[Block]:
    """Yield blocks of a text in UTF-8; a single one if another encoding is stated, or all lines have to be changed."""
    if wanted.encoding.lower() not in ("", "utf-8", "utf-8-sig", "utf8"):
        yield Block(open_csv_file(path, wanted), 1.0, is_only=True)
        return
    stream, raw = _open(path, mark)
    with ExitStack() as stack:
        stack.enter_context(raw)
        stack.enter_context(stream)
        size = raw.seek(0, io.SEEK_END)
        raw.seek(0)
        head = _complete_lines(stream.read(BLOCK_BYTES))
        text = read_text(path, head, wanted) if head else None
        if text is None or not head.rstrip(b"\r\n").endswith(text.content):
            yield Block(open_csv_file(path, wanted), 1.0, is_only=True)
            return
        first = make_csv_file(path, text, "")
        header, _, _ = text.content.partition(b"\n")
        stream.seek(head.index(text.content) + len(header) + 1)
        is_plain = not scan.has_quotes and not scan.has_lone_returns and text.dialect.separator.isascii()
        if is_plain:
            bodies = _divide_lines(stream)
        else:
            lines = stack.enter_context(io.TextIOWrapper(stream, encoding="utf-8", newline=""))
            bodies = _divide_records(path, lines, first)
        line = text.first_line
        for body, n_lines in bodies:
            whole = header + b"\n" + body
            block = replace(first, text=whole, first_line=line)
            yield Block(block, min(1.0, raw.tell() / size))
            line += n_lines


def _complete_lines(data: bytes) -> bytes:
    """Return the data up to the last end of a line."""
    return data[: data.rfind(b"\n") + 1]


def _divide_lines(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield whole lines without the last line end, and how many they are; empty lines at the end are left out."""
    rest = b""
    while data := stream.read(BLOCK_BYTES):
        rest += data
        end = rest.rstrip(b"\r\n").rfind(b"\n")
        if end >= 0:
            yield rest[:end].removesuffix(b"\r"), rest.count(b"\n", 0, end + 1)
            rest = rest[end + 1 :]
    if rest := rest.rstrip(b"\r\n"):
        yield rest, rest.count(b"\n") + 1


def _divide_records(path: TableFile, text: Iterable[str], first: CsvFile) -> Iterator[tuple[bytes, int]]:
    """Yield whole records, which may have line ends in quotes; as :func:`_divide_lines`."""
    lines: list[str] = []

    def watch() -> Iterator[str]:
        for line in text:
            lines.append(line)
            yield line

    size = n_seen = 0
    records = csv.reader(watch(), strict=True, delimiter=first.dialect.separator)
    while True:
        before = len(lines)
        try:
            cells = next(records, None)
        except csv.Error as error:
            line = first.first_line + 1 + n_seen + before
            raise BadData(f"{path} line {line}: the quotes do not match ({error}); correct them.") from None
        # Empty lines at the end of the file are no records; before others, they are.
        if cells and size >= BLOCK_BYTES:
            kept = lines[before:]
            yield _without_line_end("".join(lines[:before])).encode(), before
            n_seen += before
            lines[:], size, before = kept, 0, 0
        if cells is None:
            if last := "".join(lines).rstrip("\r\n"):
                yield last.encode(), len(lines)
            return
        size += sum(map(len, lines[before:]))


def _without_line_end(text: str) -> str:
    """Remove one line end."""
    return text.removesuffix("\n").removesuffix("\r")
