"""Labels are read in both conventions, and anything else is refused with its place."""

from __future__ import annotations

import pytest

from training.data.labels import read_labels
from training.data.tables import open_csv_file
from training.errors import BadData


@pytest.mark.parametrize(
    ("cells", "is_outlier"),
    [
        ("0 1 0", [False, True, False]),
        ("1.0 0 0", [True, False, False]),
        ("1 -1 1", [False, True, False]),
        ("0 0", [False, False]),
        ("-1 -1", [True, True]),
    ],
)
def test_both_conventions_are_read(write_csv, cells, is_outlier):
    """1 is an outlier if the other value is 0, and an inlier if it is -1."""
    file = open_csv_file(write_csv("a,fraud\n" + "".join(f"5,{cell}\n" for cell in cells.split())))

    labels = read_labels(file, "fraud")

    assert labels.column == "fraud"
    assert labels.is_outlier.tolist() == is_outlier


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("0", "2", "1"), "line 3, column fraud: 2 is not a label; write 0 for inliers and 1 for outliers, or 1 for"),
        (("0", "0", "0.5"), "line 4, column fraud: 0.5 is not a label"),
        (("0", "1", "-1"), "line 4, column fraud: this label is -1 and others are 0"),
        (("1", "1", "1"), "column fraud: every label is 1, which means only outliers if 0 are inliers, and only"),
        (("0", "yes", "1"), "line 3, column fraud: 'yes' is not a number"),
        (("0", "", "1"), "line 3, column fraud: the cell is empty"),
    ],
)
def test_other_labels_are_refused(write_csv, cells, message):
    """In one line with file, line and column."""
    path = write_csv("a,fraud\n" + "".join(f"5,{cell}\n" for cell in cells))

    with pytest.raises(BadData) as refusal:
        read_labels(open_csv_file(path), "fraud")

    assert str(refusal.value).startswith(str(path))
    assert message in str(refusal.value)


def test_line_number_is_that_of_the_file(write_csv):
    """Even if a quoted cell spans several lines."""
    path = write_csv('note,fraud\n"two\nlines",0\n"",3\n')

    with pytest.raises(BadData, match=r"line 4, column fraud: 3 is not a label"):
        read_labels(open_csv_file(path), "fraud")
