"""Where the rows come from: a file, or the ranges of the model's features; and how they are made to drift."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from pathlib import Path

from loadtest.model_description import ModelDescription
from loadtest.payloads import Row, UnusableRows, read_rows

# The test set of the repository; in the image of the load test the folder leads to /data.
DEFAULT_ROWS = Path(__file__).resolve().parent.parent / "data" / "test.csv"

# Enough that no detector takes the repetition for a pattern, few enough to be made at once for 256 features.
MADE_ROWS = 1_000


def choose_rows(named: Path | None, default: Path, model: ModelDescription | None, seed: int) -> tuple[list[Row], str]:
    """Find rows that fit the model.

    Parameters
    ----------
    named
        The file of ``--rows``, which is taken or refused, never replaced.
    default
        The file that is taken when none is named, if it is there and fits the model.
    model
        What the service says of its model; None if it says nothing.
    seed
        Decides which rows are made.

    Returns
    -------
    At least one row, and where they come from, for the log.

    Raises
    ------
    UnusableRows
        If the named file cannot be used, or there is neither a file nor a description to make rows from.
    """
    if named is not None:
        rows = read_rows(named)
        if model is not None and len(rows[0]) != len(model.feature_names):
            raise UnusableRows(
                f"{named} has {_columns(len(rows[0]))} and the model takes {len(model.feature_names)} "
                f"({', '.join(model.feature_names)}): name a file that fits, or leave out --rows."
            )
        return rows, str(named)
    if default.exists():
        rows = read_rows(default)
        if model is None or len(rows[0]) == len(model.feature_names):
            return rows, str(default)
    if model is None:
        raise UnusableRows(
            f"{default} does not exist and the service does not say what its model takes: "
            "make the file with `make data`, or name another with --rows FILE."
        )
    rows = make_rows(model.feature_ranges, seed)
    return rows, f"{len(rows)} rows made within the ranges of the model's features"


def make_rows(ranges: Sequence[tuple[float, float]], seed: int) -> list[Row]:
    """Make rows within the ranges of training.

    Parameters
    ----------
    ranges
        Smallest and largest value of each feature.
    seed
        The same seed makes the same rows.

    Returns
    -------
    Rows of one number a feature, each uniform in its range and independent of the others. A range says nothing of
    what is usual in it, so most of such rows are rarer than those of training.

    Examples
    --------
    >>> rows = make_rows([(0.0, 1.0), (5.0, 5.0)], seed=16)
    >>> len(rows), 0 <= rows[0][0] <= 1, rows[0][1]
    (1000, True, 5.0)
    """
    generator = random.Random(seed)
    # Not `uniform`, whose high - low overflows for a range that is wider than the largest number.
    shares = ([generator.random() for _ in ranges] for _ in range(MADE_ROWS))
    return [
        tuple(low * (1 - share) + high * share for share, (low, high) in zip(row, ranges, strict=True))
        for row in shares
    ]


def drift_rows(rows: Sequence[Row], shift: float, scale: float) -> list[Row]:
    """Move and stretch rows, feature by feature.

    Parameters
    ----------
    rows
        At least one row.
    shift
        How far the mean of each feature moves, in its standard deviations; 0 leaves it.
    scale
        What the distance of each value from the mean is multiplied by; 1 leaves it.

    Returns
    -------
    As many rows. A feature that does not vary is taken to have a standard deviation of 1.

    Raises
    ------
    UnusableRows
        If a number becomes too large to be sent.

    Examples
    --------
    >>> drift_rows([(0.0,), (2.0,)], shift=3, scale=2)
    [(2.0,), (6.0,)]
    """
    columns = []
    for column in zip(*rows, strict=True):
        mean, deviation = statistics.fmean(column), statistics.pstdev(column) or 1.0
        moved = [mean + shift * deviation + scale * (value - mean) for value in column]
        if not all(map(math.isfinite, moved)):
            raise UnusableRows(
                "The drifted rows are too large to be sent: make --drift-shift or --drift-scale smaller."
            )
        columns.append(moved)
    return list(zip(*columns, strict=True))


def _columns(number: int) -> str:
    """Say how many columns there are."""
    return "1 column" if number == 1 else f"{number} columns"
