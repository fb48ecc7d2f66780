"""Medians, spread and ratios in the table of results."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.contestants import choose
from benchmarks.results_table import ratio, results_table, spread
from benchmarks.wrk import Sample

OURS, MLFLOW = choose("ours,mlflow")


def sample(cost, rate=1000, p50=3.0, p99=9.0, refused=0, broken=0):
    """Return a sample with this processor time per request."""
    return Sample(rate, p50, p99, refused, broken, requests=5000, cpu_us=cost)


def rows_of(table):
    """Return the cells of a table's body."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_row_has_medians_spread_ratio_and_errors():
    """Medians with ranges, the ratio of the medians, and the sum of the errors."""
    samples = {
        "ours": [sample(300, 3000), sample(200, 2000, broken=1), sample(280, 2800, p50=2.5, p99=30)],
        "mlflow": [sample(5600, 140, refused=2), sample(4000, 100, refused=5), sample(6000, 160)],
    }

    ours, mlflow = rows_of(results_table([OURS, MLFLOW], samples, {}, "ours"))

    assert ours[2:4] == ["280 (200 to 300)", "1.00"]
    assert ours[4:] == ["2,800 (2,000 to 3,000)", "3.0 (2.5 to 3.0)", "9.0 (9.0 to 30.0)", "0, 1"]
    # The service takes a twentieth of the time.
    assert mlflow[1:5] == ["label only", "5,600 (4,000 to 6,000)", "0.05", "140 (100 to 160)"]
    assert mlflow[7] == "7, 0"


def test_skipped_server_has_a_row_with_the_reason():
    """On one line, without characters that break the table."""
    table = results_table([OURS, MLFLOW], {"ours": [sample(1)]}, {"mlflow": ["not installed:\nno | wheel"]}, "ours")

    assert "skipped: not installed: no / wheel" in rows_of(table)[1][2]


def test_failed_rounds_are_reported():
    """If a median has fewer rounds than the others, the row says so."""
    [row] = rows_of(results_table([OURS], {"ours": [sample(1)]}, {"ours": ["no answer", "no answer"]}, "ours"))

    assert row[0] == f"{OURS.title} (2 turns lost)"


def test_table_without_the_reference_has_no_ratios():
    """Servers can be measured without the service itself."""
    [row] = rows_of(results_table([MLFLOW], {"mlflow": [sample(140)]}, {}, "ours"))

    assert row[3] == ""


@given(st.lists(st.floats(1, 1e6), min_size=2, max_size=7))
def test_median_is_within_the_spread(values):
    """In any order of rounds: minimum <= median <= maximum."""
    middle, rest = spread(values, digits=1).split(" (")
    low, high = rest.rstrip(")").split(" to ")

    numbers = [float(text.replace(",", "")) for text in (low, middle, high)]
    assert numbers == sorted(numbers)


def test_ratio_has_significant_digits_only():
    """Small ratios have two decimals, large ones none."""
    assert [ratio(1, 3), ratio(9.99, 1), ratio(1234.5, 1)] == ["0.33", "9.99", "1234"]
