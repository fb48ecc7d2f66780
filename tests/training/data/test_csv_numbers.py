"""Numbers are read to the last bit, and the first cell that is none is named."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.schema import LARGEST_NUMBER
from training.data import tables as csv_numbers
from training.data.tables import CsvFile, open_csv_file, read_numbers
from training.errors import BadData

numbers = st.floats(-LARGEST_NUMBER, LARGEST_NUMBER)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=20)
)


def as_file(table: list[list[str]], quoting: int = csv.QUOTE_MINIMAL) -> CsvFile:
    """Lay cells out as a CSV file, the header first."""
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator="\n").writerows(table)  # type: ignore[arg-type]
    return CsvFile(Path("rows.csv"), "", tuple(table[0]), text.getvalue().rstrip("\n").encode())


@given(
    table=tables,
    form=st.sampled_from(["r", ".17g", ".20e"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_every_bit_of_a_number_is_read(table, form, quoting):
    """Whoever reads, pandas or we, reads what Python reads."""
    header = [f"column {number}" for number in range(len(table[0]))]
    cells = [[repr(value) if form == "r" else format(value, form) for value in row] for row in table]

    rows = read_numbers(as_file([header, *cells], quoting), header)

    assert np.array_equal(rows, np.array(table))


def test_chosen_columns_come_in_the_order_wanted(write_csv):
    """Other columns may hold anything, also nothing."""
    file = open_csv_file(write_csv("id,mean,note,sd\nx,1,,2\ny,3,late,4\n"))

    assert read_numbers(file, ("sd", "mean")).tolist() == [[2, 1], [4, 3]]


def test_a_file_in_order_is_read_fast(write_csv, monkeypatch):
    """A million rows take a second, not ten: quotes in the header do not matter, nor do columns of text."""
    monkeypatch.setattr(csv_numbers, "_read_carefully", None)

    file = open_csv_file(write_csv('"id","mean"\r\nx,1\r\n,2\r\n\r\n'))

    assert read_numbers(file, ("mean",)).tolist() == [[1], [2]]


def test_header_alone_has_no_rows(write_csv):
    """Whether none is too few is for others to say."""
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
def test_culprit_is_named(write_csv, cell, message):
    """File, line and column, whatever is wrong with the cell."""
    file = open_csv_file(write_csv(f"mean,sd\n1,2\n3,{cell}\nworse,worse\n"))

    with pytest.raises(BadData) as refusal:
        read_numbers(file, ("mean", "sd"))

    assert f"{file.path} {message}" in str(refusal.value)


@pytest.mark.parametrize(
    "content", ["a,b,c\n1,2\n3,4,5\n", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n", 'a,b,c\n1,"2,2",3\n4,5\n', "a,b,c\n1,2,3,4\n"]
)
def test_ragged_rows_are_refused_even_if_the_wanted_cells_are_there(write_csv, content):
    """A cell too many or too few in one place may have shifted all others."""
    file = open_csv_file(write_csv(content))

    with pytest.raises(BadData, match="the header has 3 columns, this line"):
        read_numbers(file, ("a",))


def test_comma_too_many_on_every_line_is_refused(write_csv):
    """A line has as many cells as the header, or it is refused."""
    file = open_csv_file(write_csv("a,b\n1,2,\n3,4,\n"))

    with pytest.raises(BadData, match="line 2: the header has 2 columns, this line 3"):
        read_numbers(file, ("a", "b"))
