"""Rows fit the model: from a file that fits, else generated; drift shifts and scales them."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.model_description import ModelDescription
from loadtest.rows import UnusableRows, choose_rows, drift_rows, generate_rows

TWO = ModelDescription("two", ("mean", "sd"), ((0.0, 1.0), (5.0, 9.0)), -0.5)
THREE = ModelDescription("three", ("a", "b", "c"), ((0.0, 1.0),) * 3, -0.5)
RANGES = st.lists(st.tuples(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300)).map(sorted), min_size=1, max_size=4)


@pytest.fixture
def file(tmp_path):
    """Write a file with two columns."""
    path = tmp_path / "rows.csv"
    path.write_text("mean,sd\n1,2\n3,4\n")
    return path


@pytest.mark.parametrize("model", [TWO, None], ids=["fits", "unknown model"])
def test_given_or_default_file_is_used(file, model, tmp_path):
    """A file given with --rows or the default file is used, also if the service does not describe its model."""
    for named, default in ((file, tmp_path / "none.csv"), (None, file)):
        rows, source = choose_rows(named, default, model, seed=16)

        assert rows == [(1.0, 2.0), (3.0, 4.0)]
        assert source == str(file)


def test_given_file_that_does_not_fit_is_rejected(file):
    """A file given by the user is never silently replaced."""
    with pytest.raises(UnusableRows, match=r"rows.csv has 2 columns but the model takes 3 \(a, b, c\)"):
        choose_rows(file, file, THREE, seed=16)


def test_rows_are_generated_if_no_file_fits(file, tmp_path):
    """Without a default file that fits the model, generated rows have the width of the model."""
    for default in (tmp_path / "none.csv", file):
        rows, source = choose_rows(None, default, THREE, seed=16)

        assert {len(row) for row in rows} == {3}
        assert "generated" in source


def test_no_file_and_no_description_is_reported(tmp_path):
    """Without file and description, the message says how to give a file."""
    with pytest.raises(UnusableRows, match=r"none.csv does not exist.*--rows FILE"):
        choose_rows(None, tmp_path / "none.csv", None, seed=16)


@given(ranges=RANGES, seed=st.integers(0, 100))
def test_generated_rows_are_within_their_ranges(ranges, seed):
    """Every number is within its feature's range, however wide, and the seed determines it."""
    rows = generate_rows(ranges, seed)

    assert rows == generate_rows(ranges, seed)
    for column, (low, high) in zip(zip(*rows, strict=True), ranges, strict=True):
        assert low - abs(low) * 1e-9 <= min(column)
        assert max(column) <= high + abs(high) * 1e-9


def test_generated_rows_differ_by_seed_and_by_feature():
    """Different seeds give different rows, and features are independent."""
    ranges = [(0.0, 1.0), (0.0, 1.0)]

    assert generate_rows(ranges, 1) != generate_rows(ranges, 2)
    assert all(one != other for one, other in generate_rows(ranges, 1))


def test_drift_is_relative_to_the_standard_deviation():
    """The mean shifts by that many standard deviations, which are scaled, whatever the feature's unit."""
    rows = [(value, 1000 * value) for value in (1.0, 2.0, 3.0, 6.0)]
    first, second = zip(*drift_rows(rows, shift=3, scale=2), strict=True)
    deviation = statistics.pstdev([1, 2, 3, 6])

    assert statistics.fmean(first) == pytest.approx(3 + 3 * deviation)
    assert statistics.pstdev(first) == pytest.approx(2 * deviation)
    assert second == pytest.approx([1000 * value for value in first])


def test_no_drift_does_not_change_the_rows():
    """Shift 0 and scale 1 return the same rows."""
    rows = [(1.0, 5.0), (2.0, 5.0)]

    assert drift_rows(rows, shift=0, scale=1) == rows


def test_infinite_drift_is_rejected():
    """A number that JSON cannot represent is not sent."""
    with pytest.raises(UnusableRows, match="--drift-scale"):
        drift_rows([(1e300,), (-1e300,)], shift=0, scale=1e30)
