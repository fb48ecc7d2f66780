"""The plane of the boundary plot: its features, scores and dots."""

from __future__ import annotations

import numpy as np
import pytest

from app.model.forest import Forest
from training.bundle.boundary import BoundaryPlane
from training.fitting.compile import compile_forest
from training.fitting.fit import ForestParameters, fit

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Return rows of which only the second and the fourth column vary."""
    rows = np.random.default_rng(1).normal(size=(500, 4))
    rows[:, [0, 2]] = [5.0, 7.0]
    return rows


@pytest.fixture(scope="module")
def forest(rows) -> Forest:
    """Return a forest that splits the second and the fourth feature."""
    return compile_forest(fit(rows, ForestParameters(n_estimators=10)))


def test_two_most_split_features_span_the_plane(forest, rows):
    """In the order of the columns; all other features are fixed at their medians."""
    plane = BoundaryPlane.of(forest, rows, NAMES)

    assert plane.shown_names() == ("b", "d")
    assert plane.medians[[0, 2]].tolist() == [5.0, 7.0]


def test_grid_has_the_scores_of_the_forest(forest, rows):
    """The second axis of the array is horizontal, the first one vertical."""
    plane = BoundaryPlane.of(forest, rows, NAMES)
    across, up = plane.grid

    for i, j in ((0, 0), (10, 200), (299, 150)):
        assert plane.scores[i, j] == forest.score([[5.0, across[j], 7.0, up[i]]])[0]


def test_every_row_has_a_dot(forest, rows):
    """Rows on one spot share a dot; rows outside the plane are drawn at its edge."""
    plane = BoundaryPlane.of(forest, rows, NAMES)
    given = np.vstack([rows[:50], rows[:50], [[0, 99.0, 0, 0.0]]])

    dots, counts = plane.place(given)

    assert counts.sum() == len(given)
    assert len(dots) <= 51
    assert dots[:, 0].max() == plane.scales[0].high
    assert {*map(tuple, dots.tolist())} <= {*map(tuple, rows[:50, [1, 3]].tolist()), (plane.scales[0].high, 0.0)}


def test_no_rows_give_no_dots(forest, rows):
    """For example, a test set without outliers."""
    dots, counts = BoundaryPlane.of(forest, rows, NAMES).place(rows[:0])

    assert len(dots) == len(counts) == 0


def test_one_feature_spans_no_plane(forest, rows):
    """Callers can check this first."""
    with pytest.raises(ValueError, match="needs two features"):
        BoundaryPlane.of(forest, rows, ("a",))
