"""Numbers are read exactly, and the first invalid cell is reported."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.schema import LARGEST_NUMBER
from training.data import columns as csv_numbers
from training.data.columns import read_numbers
from training.data.tables import CsvFile, open_csv_file
from training.errors import BadData

numbers = st.floats(-LARGEST_NUMBER, LARGEST_NUMBER)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=20)
)


def as_file(table: list[list[str]], quoting: int = csv.QUOTE_MINIMAL) -> CsvFile:
    """Write cells as a CSV file, the header first."""
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator="\n").writerows(table)  # type: ignore[arg-type]
    return CsvFile(Path("rows.csv"), "", tuple(table[0]), text.getvalue().rstrip("\n").encode())


@given(
    table=tables,
    form=st.sampled_from(["r", ".17g", ".20e"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_numbers_are_read_exactly(table, form, quoting):
    """Both pandas and our own reader return the number that Python parses."""
    header = [f"column {number}" for number in range(len(table[0]))]
    cells = [[repr(value) if form == "r" else format(value, form) for value in row] for row in table]

    rows = read_numbers(as_file([header, *cells], quoting), header)

    assert np.array_equal(rows, np.array(table))


def test_chosen_columns_are_returned_in_the_requested_order(write_csv):
    """Other columns may contain anything, or nothing."""
    file = open_csv_file(write_csv("id,mean,note,sd\nx,1,,2\ny,3,late,4\n"))

    assert read_numbers(file, ("sd", "mean")).tolist() == [[2, 1], [4, 3]]


def test_valid_file_is_read_fast(write_csv, monkeypatch):
    """A million rows take about a second, even with quotes in the header and columns of text."""
    monkeypatch.setattr(csv_numbers, "read_texts", None)

    file = open_csv_file(write_csv('"id","mean"\r\nx,1\r\n,2\r\n\r\n'))

    assert read_numbers(file, ("mean",)).tolist() == [[1], [2]]


def test_header_without_rows_is_valid(write_csv):
    """The caller decides whether no rows are too few."""
    assert read_numbers(open_csv_file(write_csv("a,b\n")), ("b",)).shape == (0, 1)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("abc", "line 3, column sd: 'abc' is not a number; correct it, or leave the column out with --drop sd"),
        ("", "line 3, column sd: the cell is empty"),
        ("  ", "line 3, column sd: the cell is empty"),
        ("nan", "line 3, column sd: 'nan' is not a finite number"),
        ("NA", "line 3, column sd: 'NA' is not a number"),
        ("-Infinity", "line 3, column sd: '-Infinity' is not a finite number"),
        ("1e400", "line 3, column sd: '1e400' is not a finite number"),
        ("3.5e38", "line 3, column sd: '3.5e38' is beyond what float32 holds"),
        ("-3.5e38", "line 3, column sd: '-3.5e38' is beyond what float32 holds"),
        ("1_000", "line 3, column sd: '1_000' is not a number"),
        ("True", "line 3, column sd: 'True' is not a number"),
        ("0x10", "line 3, column sd: '0x10' is not a number"),
        ("2024-01-31", "line 3, column sd: '2024-01-31' is not a number"),
        ("9" * 500, "line 3, column sd: '9999999999999999999999999999999999999999...' is not a finite number"),
    ],
)
def test_invalid_cell_is_reported(write_csv, cell, message):
    """With file, line and column, whatever is wrong with the cell."""
    file = open_csv_file(write_csv(f"mean,sd\n1,2\n3,{cell}\n"))

    with pytest.raises(BadData) as refusal:
        read_numbers(file, ("mean", "sd"))

    assert f"{file.path} {message}" in str(refusal.value)


@pytest.mark.parametrize(
    "content", ["a,b,c\n1,2\n3,4,5\n", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n", 'a,b,c\n1,"2,2",3\n4,5\n', "a,b,c\n1,2,3,4\n"]
)
def test_ragged_rows_are_refused_even_if_the_chosen_cells_exist(write_csv, content):
    """A missing or extra cell may have shifted all others."""
    file = open_csv_file(write_csv(content))

    with pytest.raises(BadData, match="the header has 3 columns, this line"):
        read_numbers(file, ("a",))


def test_extra_comma_on_every_line_is_ignored(write_csv):
    """Some programs end every line but the header with a separator; on some lines it is a mistake."""
    file = open_csv_file(write_csv("a,b\n1,2,\n3,4,\n"))

    assert read_numbers(file, ("a", "b")).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(BadData, match="line 3: the header has 2 columns, this line 3"):
        read_numbers(open_csv_file(write_csv("a,b\n1,2\n3,4,\n")), ("a", "b"))
