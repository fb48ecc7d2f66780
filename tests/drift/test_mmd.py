"""The sliding maximum mean discrepancy equals its definition."""

from __future__ import annotations

import numpy as np
import pytest

from app.drift.mmd import KernelReference, KernelWindow
from tests.drift.conftest import make_rows


def discrepancy_by_definition(first, second):
    """Compute the mean similarity within each set of placed rows, less twice that between them."""

    def mean_similarity(one, other):
        return np.exp(-((one[:, None] - other) ** 2).sum(axis=2)).mean()

    return mean_similarity(first, first) - 2 * mean_similarity(first, second) + mean_similarity(second, second)


@pytest.mark.parametrize("size", [2, 7, 100])
def test_distance_is_that_of_the_last_rows(size):
    """After each of a few hundred rows, which is many times the window."""
    reference = KernelReference(make_rows(300, seed=2), bandwidth=1.3)
    window = KernelWindow(reference, size)
    points = reference.place(make_rows(350, seed=3))

    given = [window.push(point) for point in points][size - 1 :]

    placed_reference = reference.place(make_rows(300, seed=2))
    expected = [
        discrepancy_by_definition(points[end - size : end], placed_reference) for end in range(size, len(points) + 1)
    ]
    assert np.allclose(given, expected, rtol=0, atol=1e-12)


def test_rows_at_the_end_of_the_range_are_far_from_everything():
    """The largest numbers that the service accepts make no distance infinite or NaN."""
    reference = KernelReference(make_rows(300, seed=2), bandwidth=1e-3)
    window = KernelWindow(reference, 3)
    largest = float(np.finfo(np.float32).max)

    for point in reference.place(np.array([[largest, -largest], [0.2, 0.1], [1e30, 1e30]])):
        distance = window.push(point)

    assert 0 < distance < 2
    assert reference.mean_similarity(reference.place(np.array([[largest, largest]])))[0] == 0


def test_features_count_equally_in_any_unit():
    """A feature in cents is the same as one in euros."""
    rows, others = make_rows(300, seed=2), make_rows(30, seed=3)
    distances = []
    for units in (np.array([1.0, 1.0]), np.array([1.0, 100.0])):
        reference = KernelReference(rows * units, bandwidth=1.0)
        window = KernelWindow(reference, 30)
        distances.append([window.push(point) for point in reference.place(others * units)][-1])

    assert distances[0] == pytest.approx(distances[1], rel=1e-9)
