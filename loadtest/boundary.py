"""Find rows close to the decision boundary by bisection between inliers and outliers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from loadtest.rows import Row

# Pairs bisected at the same time: enough for drift detectors to see more than one point of the boundary.
PAIRS = 16

# Each step halves the distance; after 20 it is a millionth, close to the resolution of float32.
STEPS = 20

# If no known row is an outlier, search this many times the rows' range beyond them. A forest does not split
# outside its training data, so going further would change nothing.
RANGE_FACTOR = 2.0

# Rows scored in the first request: with 1 % outliers, about five of them are outliers.
CANDIDATES = 500

ScoreRows = Callable[[Sequence[Row]], Sequence[float]]


class NoBoundary(Exception):
    """All rows have the same label, even far outside the training data; the message says which label is missing."""


def find_boundary_rows(rows: Sequence[Row], threshold: float, score: ScoreRows, generator: random.Random) -> list[Row]:
    """Find rows whose score is close to the threshold.

    For each pair of an inlier and an outlier, repeatedly replace the one that has the same label as their midpoint by
    the midpoint. Of all midpoints, keep the one whose score is nearest to the threshold: the score of a forest is
    piecewise constant, so that need not be the last one.

    Parameters
    ----------
    rows
        At least one row to start from.
    threshold
        Rows with a lower score are outliers.
    score
        Returns the service's anomaly scores for rows, in their order.
    generator
        Random generator that selects the pairs.

    Returns
    -------
    ``PAIRS`` rows, the nearest one of each pair.

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
    candidates = generator.sample(list(rows), min(CANDIDATES, len(rows)))
    candidates += _rows_beyond(rows, generator)
    scores = score(candidates)
    inliers = [row for row, value in zip(candidates, scores, strict=True) if value >= threshold]
    outliers = [row for row, value in zip(candidates, scores, strict=True) if value < threshold]
    if not inliers or not outliers:
        missing = "inlier" if not inliers else "outlier"
        raise NoBoundary(f"No {missing} found among {len(candidates)} rows: send rows of both kinds.")
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
    """Generate rows within and beyond the known ones, up to ``RANGE_FACTOR`` times their range on each side."""
    reaches = []
    for column in zip(*rows, strict=True):
        low, high = min(column), max(column)
        spread = (high - low) or 1.0
        reaches.append((low - RANGE_FACTOR * spread, high + RANGE_FACTOR * spread))
    return [tuple(generator.uniform(low, high) for low, high in reaches) for _ in range(PAIRS)]


def _middle(one: Row, other: Row) -> Row:
    """Return the midpoint of two rows."""
    return tuple(a + (b - a) / 2 for a, b in zip(one, other, strict=True))
