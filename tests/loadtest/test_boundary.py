"""Boundary rows are found with few requests, whatever the scores look like."""

from __future__ import annotations

import random

import pytest

from loadtest.boundary import PAIRS, STEPS, NoBoundary, find_boundary_rows


def score_by_distance(rows):
    """Score like a forest: piecewise constant, lower far from the middle."""
    return [-round(min(1.0, (x * x + y * y) ** 0.5 / 10), 3) for x, y in rows]


def test_found_rows_have_scores_at_the_threshold():
    """Each row's score is close to the threshold, and the rows differ."""
    generator = random.Random(3)
    rows = [(generator.gauss(0, 2), generator.gauss(0, 2)) for _ in range(200)]

    found = find_boundary_rows(rows, -0.5, score_by_distance, generator)

    assert len(set(found)) == PAIRS
    assert all(abs(score + 0.5) <= 0.002 for score in score_by_distance(found))


def test_outliers_are_searched_beyond_the_known_rows():
    """The search works if all known rows are inliers."""
    found = find_boundary_rows([(0.0, 0.0), (3.0, 3.0)], -0.5, score_by_distance, random.Random(3))

    assert all(abs(score + 0.5) <= 0.002 for score in score_by_distance(found))


def test_few_requests_are_sent():
    """One request for the candidates and one per step, for all pairs together."""
    sizes = []

    def score(rows):
        sizes.append(len(rows))
        return score_by_distance(rows)

    find_boundary_rows([(0.0, 0.0), (9.0, 9.0)], -0.5, score, random.Random(3))

    assert sizes == [2 + PAIRS] + [PAIRS] * STEPS


@pytest.mark.parametrize(("score", "missing"), [(-0.9, "inlier"), (-0.1, "outlier")])
def test_missing_label_is_reported(score, missing):
    """Without rows of both labels there is no boundary."""
    with pytest.raises(NoBoundary, match=f"No {missing} found"):
        find_boundary_rows([(0.0, 0.0)], -0.5, lambda rows: [score] * len(rows), random.Random(3))
