"""Rows of the boundary are found with few questions, whatever the scores look like."""

from __future__ import annotations

import random

import pytest

from loadtest.boundary import PAIRS, STEPS, NoBoundary, find_boundary_rows


def score_by_distance(rows):
    """Score like a forest: constant between cuts, lower far from the middle."""
    return [-round(min(1.0, (x * x + y * y) ** 0.5 / 10), 3) for x, y in rows]


def test_found_rows_have_scores_at_the_threshold():
    """Each row's score is next to the threshold, and the rows are not all the same."""
    generator = random.Random(3)
    rows = [(generator.gauss(0, 2), generator.gauss(0, 2)) for _ in range(200)]

    found = find_boundary_rows(rows, -0.5, score_by_distance, generator)

    assert len(set(found)) == PAIRS
    assert all(abs(score + 0.5) <= 0.002 for score in score_by_distance(found))


def test_outliers_are_looked_for_beyond_rows_that_have_none():
    """Rows that are all inliers are enough to begin with."""
    found = find_boundary_rows([(0.0, 0.0), (3.0, 3.0)], -0.5, score_by_distance, random.Random(3))

    assert all(abs(score + 0.5) <= 0.002 for score in score_by_distance(found))


def test_few_questions_are_asked():
    """One question to look around and one for each step, all pairs together."""
    asked = []

    def score(rows):
        asked.append(len(rows))
        return score_by_distance(rows)

    find_boundary_rows([(0.0, 0.0), (9.0, 9.0)], -0.5, score, random.Random(3))

    assert asked == [2 + PAIRS] + [PAIRS] * STEPS


@pytest.mark.parametrize(("score", "missing"), [(-0.9, "inlier"), (-0.1, "outlier")])
def test_one_label_everywhere_is_said(score, missing):
    """Without both labels there is no boundary to find."""
    with pytest.raises(NoBoundary, match=f"No {missing} was found"):
        find_boundary_rows([(0.0, 0.0)], -0.5, lambda rows: [score] * len(rows), random.Random(3))
