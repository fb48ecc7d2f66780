"""``--time-parts``: hour of day and day of week of a column of times, in files and in requests."""

from __future__ import annotations

import pandas as pd
import pytest

from app.model.times import HOURS, read_hour
from training.data.choices import Choices
from training.data.column_problems import ColumnProblem
from training.data.column_times import infer_times, read_times
from training.data.dataset import read_features, read_training_data
from training.data.tables import open_csv_file
from training.errors import BadData

PARTS = Choices(time_parts=("at",))


@pytest.mark.parametrize(
    ("texts", "hours"),
    [
        (["2026-11-29T22:05:00", "2026-11-30 00:00:00.5"], ["Sun 22:00", "Mon 00:00"]),
        (["2026-11-29T22:05:00+01:00", "2026-11-29T22:05:00Z"], ["Sun 22:00", "Sun 22:00"]),
        (["2026-11-29"], ["Sun 00:00"]),
        (["29.11.2026 22:05", "01.12.2026 01:59"], ["Sun 22:00", "Tue 01:00"]),
        (["29-11-2026", "01-12-2026"], ["Sun 00:00", "Tue 00:00"]),
        (["29/11/2026 22:05:09"], ["Sun 22:00"]),
        (["11/29/2026 10:05 PM"], ["Sun 22:00"]),
        (["1796000000", "1796000000.5"], ["Mon 00:00", "Mon 00:00"]),
        (["1796000000000"], ["Mon 00:00"]),
    ],
)
def test_file_and_request_read_the_same_hour(texts, hours):
    """Whatever the form; the hour is that of the clock that the text shows."""
    read, form = infer_times(pd.Series(texts, dtype=object))

    assert [HOURS[int(hour)] for hour in read] == hours
    values = [float(text) if "since 1970" in form else text for text in texts]
    assert [read_hour(value, form) for value in values] == read.tolist()
    # What records show is understood, too.
    assert [read_hour(hour, form) for hour in hours] == read.tolist()


def test_hours_become_two_features(write_csv):
    """Hour of day from 0 to 23, and day of week from 0 for Monday; a missing time stays missing."""
    lines = ["at,value", "2026-11-30 07:30:00,1", ",2", "2026-12-06 23:59:59,3"]

    data = read_training_data(write_csv("\n".join(lines)), choices=PARTS)

    assert data.matrix_names == ("at: hour of day", "at: day of week", "value")
    assert data.matrix[[0, 2]].tolist() == [[7, 0, 1], [23, 6, 3]]
    again = read_features(open_csv_file(data.path), data.features)
    assert again.rows[[0, 2]].tolist() == data.rows[[0, 2]].tolist()
    assert data.features.times == ("iso", None)


def test_without_the_option_times_are_left_out_with_a_sentence_that_names_it(write_csv, capsys):
    """The command that it names works."""
    file = write_csv('"at, local",value\n2026-11-30 07:30:00,1\n2026-12-06 23:59:59,3\n')

    assert read_training_data(file).names == ("value",)

    said = "column at, local is left out: it holds times; to use their hour of day and day of week, add --time-parts "
    assert f"""{said}'"at, local"'""" in capsys.readouterr().err


@pytest.mark.parametrize("bad", ["yesterday", "31.13.2026"])
def test_what_is_no_time_is_refused_with_its_line(write_csv, bad):
    """Also if most are times."""
    file = write_csv(f"at,value\n2026-11-30 07:30:00,1\n2026-12-06 23:59:59,3\n{bad},4\n")

    with pytest.raises(BadData, match=f"line 4, column at: '{bad}' is not a time in the form of the others"):
        read_training_data(file, choices=PARTS)


@pytest.mark.parametrize("numbers", [["-3.1", "6.5"], ["0", "31535999"]])
def test_measurements_are_no_times(numbers):
    """As seconds, all of them would be in 1970."""
    with pytest.raises(ColumnProblem, match="would be seconds of the year 1970"):
        infer_times(pd.Series(["", *numbers], dtype=object))


def test_day_and_month_in_two_orders_are_not_guessed():
    """The first form that fits all rows is taken; none fits both of these."""
    texts = pd.Series(["13/01/2026", "01/13/2026"], dtype=object)

    with pytest.raises(Exception, match="day and month are not in one order"):
        infer_times(texts)


def test_missing_times_are_missing():
    """In the forms in which numbers may be missing."""
    hours = read_times(pd.Series(["2026-11-30", "", "null"], dtype=object), "iso")

    assert pd.isna(hours).tolist() == [False, True, True]
