"""A CSV file is opened, or refused in a line with file, line and column."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from backports import zstd

from training.data.tables import open_csv_file
from training.errors import BadData


def to_zip(content: bytes) -> bytes:
    """Return an archive with one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rows.csv", content)
    return file.getvalue()


def to_parquet(columns: dict[str, list[int]]) -> bytes:
    """Write columns as Parquet."""
    written: bytes = pd.DataFrame(columns).to_parquet()
    return written


def test_records_have_the_line_numbers_of_the_file(write_csv):
    """Lines count from 1, as in an editor, also after a cell that spans two lines."""
    file = open_csv_file(write_csv('id, mean\n"a\nb",1\nc,2\n'))

    assert file.header == ("id", "mean")
    assert list(file.records()) == [(2, ["a\nb", "1"]), (4, ["c", "2"])]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,b\n1,2\n",
        b"a,b\r\n1,2\r\n",
        b"a,b\n1,2\n\n\n",
        b"a,b\n1,2",
        b'"a","b"\n"1","2"\n',
        b"a,b\r1,2\r",
        b"a;b\n1;2\n",
        b"a\tb\n1\t2\n",
        b"a|b\n1|2\n",
        b"sep=,\r\na,b\r\n1,2\r\n",
        b"a,b\n1,2,\n",
        "a,b\n1,2\n".encode("utf-16"),
        gzip.compress(b"a,b\n1,2\n"),
        zstd.compress(b"a,b\n1,2\n"),
        to_zip(b"a,b\n1,2\n"),
        to_parquet({"a": [1], "b": [2]}),
    ],
    ids=[
        "byte order mark",
        "CRLF",
        "empty lines at the end",
        "no line end",
        "quotes",
        "CR",
        "semicolons",
        "tabs",
        "vertical bars",
        "a line that names the separator",
        "a separator at the end",
        "UTF-16",
        "gzip",
        "zstd",
        "zip",
        "Parquet",
    ],
)
def test_dialects_of_csv_give_the_same_table(write_csv, content):
    """Whatever program wrote the file."""
    file = open_csv_file(write_csv(content))

    assert file.header == ("a", "b")
    assert [cells for _, cells in file.records()] == [["1", "2"]]


def test_digest_is_that_of_the_whole_file(write_csv):
    """It equals the output of sha256sum."""
    content = b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n"

    assert open_csv_file(write_csv(content)).sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "rows.csv is empty"),
        (b"\n \n", "rows.csv is empty"),
        (b"1.5,2\n3,4\n", "rows.csv has no header: line 1 holds only numbers"),
        (b"\na,b\n1,2\n", "rows.csv line 1: the line is empty"),
        (b"mean,\n0,1\n", "rows.csv line 1: column 2 has no name"),
        (b"2.5,6.4,setosa\n1,2,setosa\n", "rows.csv has no header: line 1 looks like the lines below"),
        (b"2026-01-01,6.4\n2026-01-02,6.5\n", "has no header: .* sed -i '1i column_1,column_2'"),
        (b"a,b,a\n1,2,3\n", "rows.csv line 1: two columns are called a"),
        (b'"a\nb",c\n1,2\n', "rows.csv line 1: the column name 'a.nb' holds a line end"),
        (b"a\0,b\n1,2\n", r"rows.csv line 1: the column name 'a\\x00' holds a NUL character; rename"),
        (b"a\x1b[2J,b\n1,2\n", "rows.csv line 1: the column name .* holds a control character"),
        (b"\xef\xbb\xbf\xef\xbb\xbfa,b\n1,2\n", r"line 1: the column name '\\ufeffa' holds a byte order mark"),
        ("a,b\ufeff\n1,2\n".encode(), "rows.csv line 1: the column name .* holds a byte order mark"),
        ("a\u2028b,c\n1,2\n".encode(), "rows.csv line 1: the column name .* holds a control character"),
        (
            "Gro\u0308\xdfe,Gr\xf6\xdfe\n1,2\n".encode(),
            r"the column names 'Gro\\u0308\\xdfe' and 'Gr\\xf6\\xdfe' look equal",
        ),
        ("a\u200b,a\n1,2\n".encode(), r"the column names 'a\\u200b' and 'a' look equal; rename one"),
        ("a b,a\xa0b\n1,2\n".encode(), r"the column names 'a b' and 'a\\xa0b' look equal"),
        (b"\x1f\x8babc", "rows.csv cannot be decompressed as gzip"),
        (b"PAR1abc", "rows.csv cannot be read"),
        (b"a,b\n1,2\ncaf\xe9\0,4\n", "rows.csv line 3: this is not UTF-8 text"),
        (b'"a,b\n1,2\n', "rows.csv line 1: the quotes do not match"),
    ],
)
def test_unusable_file_is_refused(write_csv, content, message):
    """Each with its own message."""
    with pytest.raises(BadData, match=message):
        open_csv_file(write_csv(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n3\n", "line 3: the header has 2 columns, this line 1;"),
        (b"a,b\n1,2\n3,4,5\n", "line 3: the header has 2 columns, this line 3;"),
        (b"a,b\n1,2,3\n", "line 2: the header has 2 columns, this line 3;"),
        (b"a,b\n1,2\n\n3,4\n", "line 3: the line is empty; remove it"),
        (b'a,b\n1,2\n3,"4\n', "line 3: the quotes do not match"),
    ],
)
def test_broken_record_is_refused(write_csv, content, message):
    """The message has the line on which the record starts."""
    file = open_csv_file(write_csv(content))

    with pytest.raises(BadData, match=message):
        list(file.records())


def test_missing_file_and_folder_are_refused(tmp_path: Path):
    """A mistyped path is the most common mistake."""
    with pytest.raises(BadData, match=r"none\.csv does not exist"):
        open_csv_file(tmp_path / "none.csv")
    with pytest.raises(BadData, match="is a folder"):
        open_csv_file(tmp_path)
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    with pytest.raises(BadData, match=r"loop\.csv cannot be read"):
        open_csv_file(tmp_path / "loop.csv")
