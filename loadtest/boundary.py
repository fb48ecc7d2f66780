"""Rows close to the decision boundary, found by asking: between an inlier and an outlier the label changes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from loadtest.payloads import Row

# How many pairs are looked between at once: enough that a detector of drift sees more than one place.
PAIRS = 16

# Each step halves the distance, so 20 leave a millionth of it: float32 has little more to give.
STEPS = 20

# How far outliers are looked for beyond the known rows when none of those is one, in their own spread: a forest
# cuts nothing beyond what it was trained on, so twice the spread is as good as infinity.
BEYOND = 2.0

# How many rows the first question holds: with an outlier in a hundred, half a dozen of them are outliers.
LOOKED_AT = 500

ScoreRows = Callable[[Sequence[Row]], Sequence[float]]


class NoBoundary(Exception):
    """All rows have the same label, even far outside; the message says which."""


def find_boundary_rows(rows: Sequence[Row], threshold: float, score: ScoreRows, generator: random.Random) -> list[Row]:
    """Find rows whose score is close to the threshold.

    Between an inlier and an outlier lies a place where the label changes. The middle of the two replaces the one
    that has its label, again and again, and of all rows on the way the one with the score nearest to the threshold
    is kept. Forests are constant between their cuts, so the nearest need not be the last.

    Parameters
    ----------
    rows
        At least one row to begin with.
    threshold
        Rows with a lower score are outliers.
    score
        Asks the service for the anomaly scores of rows, in their order.
    generator
        Decides which rows are paired.

    Returns
    -------
    ``PAIRS`` rows, the nearest of each pair.

    Raises
    ------
    NoBoundary
        If no inlier or no outlier is found.

    Examples
    --------
    >>> found = find_boundary_rows(
    ...     [(0.0,), (8.0,)], -0.5, lambda rows: [-x / 10 for x, in rows], random.Random(16)
    ... )
    >>> all(abs(x - 5) < 1e-4 for x, in found)
    True
    """
    candidates = generator.sample(list(rows), min(LOOKED_AT, len(rows)))
    candidates += _rows_beyond(rows, generator)
    scores = score(candidates)
    inliers = [row for row, value in zip(candidates, scores, strict=True) if value >= threshold]
    outliers = [row for row, value in zip(candidates, scores, strict=True) if value < threshold]
    if not inliers or not outliers:
        missing = "inlier" if not inliers else "outlier"
        raise NoBoundary(f"No {missing} was found among {len(candidates)} rows: send rows of both kinds.")
    inside = generator.choices(inliers, k=PAIRS)
    outside = generator.choices(outliers, k=PAIRS)
    nearest: list[tuple[float, Row]] = [(float("inf"), row) for row in inside]
    for _ in range(STEPS):
        middles = [_middle(one, other) for one, other in zip(inside, outside, strict=True)]
        for pair, value in enumerate(score(middles)):
            nearest[pair] = min(nearest[pair], (abs(value - threshold), middles[pair]))
            (inside if value >= threshold else outside)[pair] = middles[pair]
    return [row for _, row in nearest]


def _rows_beyond(rows: Sequence[Row], generator: random.Random) -> list[Row]:
    """Make rows around and beyond the known ones, up to ``BEYOND`` times their spread from their ends."""
    reaches = []
    for column in zip(*rows, strict=True):
        low, high = min(column), max(column)
        spread = (high - low) or 1.0
        reaches.append((low - BEYOND * spread, high + BEYOND * spread))
    return [tuple(generator.uniform(low, high) for low, high in reaches) for _ in range(PAIRS)]


def _middle(one: Row, other: Row) -> Row:
    """Return the row halfway between two."""
    return tuple(a + (b - a) / 2 for a, b in zip(one, other, strict=True))
