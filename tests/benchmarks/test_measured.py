"""The table "Measured" takes its figures from what the benchmarks print."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import forest, measured
from benchmarks.contestants import choose
from benchmarks.recorder.__main__ import tabulate
from benchmarks.results_page import paste
from benchmarks.results_table import results_table
from benchmarks.wrk import Sample

ROOT = Path(__file__).resolve().parents[2]


def sample(cpu_us: float) -> Sample:
    """Return a sample with a processor time."""
    return Sample(900, 1.0, 4.0, 0, 0, 900, cpu_us)


def test_requests_are_compared_at_both_numbers_of_connections():
    """Both tables of servers become one cell."""
    servers = choose("ours,fastapi_compiled,fastapi_compiled_logged")
    samples = {server.name: [sample(cost)] for server, cost in zip(servers, (380, 600, 670), strict=True)}
    table = results_table(servers, samples, {}, "ours")

    described = measured.describe_requests(measured.read_tables(f"8 connections:\n\n{table}\n\n64:\n\n{table}"))

    assert described == (
        "8 connections: 380 us, FastAPI without records and log 600 us, with its log 670 us; "
        "64 connections: 380 us, FastAPI without records and log 600 us, with its log 670 us"
    )


def test_forest_is_compared_with_scikit_learn():
    """Both tables of the forest become one cell."""
    names = (forest.COMPILED, forest.NUMPY, forest.PREDICT, forest.SCORE_SAMPLES, forest.BOTH)
    table = forest.describe(
        dict(zip(names, ([7.0], [50.0], [3500.0], [3000.0], [6500.0]), strict=True)),
        dict(zip(names, ([1.5e6], [2e5], [6e5], [5e5], [3e5]), strict=True)),
    )

    assert measured.describe_forest(measured.read_tables(table)) == (
        "one row 7.0 us, 500 times as fast as `predict`; 10,000 rows: 1,500,000 rows/s, 3.00 times `score_samples`"
    )


def test_recorder_is_described_by_its_cost():
    """The cost per row with and without records, and the requests' p99."""
    table = "\n".join(
        tabulate(
            {"recorder at work": [sample(28)], "no recorder": [Sample(900, 1, 3, 0, 0)], "no records": [sample(20)]}
        )
    )

    assert measured.describe_recorder(measured.read_tables(table)) == (
        "28 us a row, 20 us without records; p99 of requests 4.00 ms, without a recorder 3.00 ms"
    )


def test_other_tables_are_an_error():
    """A benchmark that prints something else is reported, and no figure is made up."""
    with pytest.raises(LookupError, match="no table has a row 'Isowatch, as shipped'"):
        measured.describe_requests([["server", "us"]])


def test_readme_has_the_table():
    """The table is found and replaced as a whole."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    head = "| what | result | command |"

    assert head in page
    assert head not in paste(page, "measured", "new")
