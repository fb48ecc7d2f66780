"""Columns that are not all plain numbers are recognised, or refused all at once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.data.choices import Choices
from training.data.column_problems import find_doubtful_columns
from training.data.dataset import read_test_data, read_training_data
from training.errors import BadArgument, BadData

# A business export: semicolons, decimal commas, blanks, dates, ids, and accents in an old encoding.
EXPORT = "Datum;Kunde;Betrag;Land;aktiv;Alter\n" + "".join(
    f"{1 + number % 28:02d}.03.2026;K{number:05d};{number},50;{'Österreich' if number % 3 else 'DE'};"
    f"{'ja' if False else ('yes' if number % 2 else 'no')};{'' if number == 7 else number}\n"
    for number in range(60)
)


def test_business_export_is_read(write_csv, capsys):
    """Separator, decimal comma and encoding are guessed and printed; dates and ids are left out in a sentence each."""
    data = read_training_data(write_csv(EXPORT.encode("cp1252")))

    assert data.names == ("Betrag", "Land", "aktiv", "Alter")
    assert data.levels == {"Land": ("Österreich", "DE"), "aktiv": (False, True)}
    assert data.rows[:2].tolist() == [[0.5, 1, 0, 0], [1.5, 0, 1, 1]]
    assert math.isnan(data.rows[7, 3])
    said = capsys.readouterr().err
    assert "semicolons and a decimal comma and text that is not UTF-8" in said
    assert "--sep ';' --decimal ',' --encoding 'cp1252'" in said
    assert "column Datum is left out: it holds times" in said
    assert "column Kunde is left out: 60 of its texts differ, like ids" in said


@pytest.mark.parametrize("texts", ["True,False", "yes,NO", '"true",false', "1,no"])
def test_booleans_follow_one_rule(write_csv, texts):
    """In any spelling, with quotes or without."""
    first, second = texts.split(",")
    data = read_training_data(write_csv(f"x,ok\n1,{first}\n2,{second}\n3,\n"))

    assert data.levels == {"ok": (False, True)}
    assert data.rows[:2, 1].tolist() == [1, 0]
    assert math.isnan(data.rows[2, 1])


def test_every_usual_sign_of_a_missing_number_is_one(write_csv):
    """NA is a level of a category, though: Namibia."""
    cells = ["", "?", "NA", "nan", "null", "#N/A"]
    content = "x,country\n1,DE\n2,DE\n3,DE\n4,DE\n5,DE\n6,DE\n7,DE\n" + "".join(f"{cell},NA\n" for cell in cells)

    data = read_training_data(write_csv(content))

    assert np.isnan(data.rows[7:, 0]).all()
    assert data.levels == {"country": ("DE", "NA")}
    assert data.described["columns"][0]["share_missing"] == pytest.approx(6 / 13)


def test_all_problems_are_named_at_once(write_csv):
    """With an option that leaves these columns out, also if a name holds a comma."""
    path = write_csv('"Amount, EUR",sd,n\n1,2,0\n2,3,1\n3,x,2\nabc,y,3\n')

    with pytest.raises(BadData) as refusal:
        read_training_data(path)

    lines = str(refusal.value).splitlines()
    assert lines[0] == "2 columns cannot be used as they are:"
    assert "line 5, column Amount, EUR: 'abc' is not a number" in lines[1]
    assert "line 4, column sd: 'x' is not a number, like 1 more; correct them" in lines[2]
    assert lines[3] == "To leave all of them out, train with --drop '\"Amount, EUR\",sd'"


def test_repeated_header_is_named_once(write_csv):
    """Files are often joined from several."""
    with pytest.raises(BadData, match="line 4 repeats the header"):
        read_training_data(write_csv("a,b\n1,2\n3,4\na,b\n"))


def test_numbers_can_be_categories(write_csv):
    """A column of codes has no order; --category says so."""
    data = read_training_data(write_csv("x,code\n1,7\n2,7\n3,12\n"), choices=Choices(category=("code",)))

    assert data.levels == {"code": ("7", "12")}
    with pytest.raises(BadArgument, match=r"--category: .* has no column cod"):
        read_training_data(write_csv("x,code\n1,7\n2,8\n"), choices=Choices(category=("cod",)))


def test_test_rows_have_the_levels_of_training(write_csv):
    """A level that training did not see is no reason to refuse a row; a missing value that training never had is."""
    training = read_training_data(write_csv("x,country\n1,DE\n2,DE\n3,FR\n"))

    test = read_test_data(write_csv("country,x\nFR,5\nIT,6\n", "test.csv"), training)

    assert test.rows.tolist() == [[5, 1], [6, -1]]
    with pytest.raises(BadData, match="line 2, column x: the cell is empty, and training had no row without a value"):
        read_test_data(write_csv("country,x\nFR,\n", "test.csv"), training)


def test_row_numbers_that_pandas_writes_are_left_out(write_csv, capsys):
    """They would be the feature that separates rows best, and mean nothing."""
    assert read_training_data(write_csv(",a\n0,1\n1,2\n")).names == ("a",)
    assert "has no name, like the row numbers that pandas writes: it is left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "values", "doubt"),
    [
        ("t", 1_767_225_600 + np.arange(300.0), "Column t has 300 different values, of which float32 keeps 3"),
        ("order", np.arange(300.0), "Column order is different in every row, like an id"),
        ("user_id", np.linspace(0, 1, 300), "Column user_id is different in every row, like an id"),
        ("paid", np.linspace(0, 1, 300), None),
        ("period", np.arange(300.0) % 7, None),
        # Their last bits differ, which means nothing.
        ("computed", np.arange(300.0) / 7 % 1, None),
    ],
)
def test_columns_that_are_probably_not_meant_are_doubted(name, values, doubt):
    """Numbers that float32 cannot tell apart, and columns that differ in every row."""
    found = find_doubtful_columns([name], values[:, None])

    assert [doubt is not None and sentence.startswith(doubt) for sentence in found] == [True] * (doubt is not None)
