"""The plane goes through the features that matter, and holds the forest's own scores."""

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
    """Columns of which the second and the fourth vary."""
    rows = np.random.default_rng(1).normal(size=(500, 4))
    rows[:, [0, 2]] = [5.0, 7.0]
    return rows


@pytest.fixture(scope="module")
def forest(rows) -> Forest:
    """Trees that split the second and the fourth feature."""
    return Forest(compile_forest(fit(rows, ForestParameters(n_estimators=10))))


def test_the_two_most_split_features_are_shown(forest, rows):
    """In the order of the columns; the others stand at their medians."""
    plane = BoundaryPlane.of(forest, rows, NAMES)

    assert plane.shown_names() == ("b", "d")
    assert plane.medians[[0, 2]].tolist() == [5.0, 7.0]


def test_scores_are_those_of_the_forest(forest, rows):
    """At each point of the grid: across is the second axis of the array, up the first."""
    plane = BoundaryPlane.of(forest, rows, NAMES)
    across, up = plane.grid

    for i, j in ((0, 0), (10, 200), (299, 150)):
        assert plane.scores[i, j] == forest.score([[5.0, across[j], 7.0, up[i]]])[0]


def test_every_row_has_a_dot(forest, rows):
    """Rows on one spot share it, none is left out, and what lies beyond the plane stands at its edge."""
    plane = BoundaryPlane.of(forest, rows, NAMES)
    given = np.vstack([rows[:50], rows[:50], [[0, 99.0, 0, 0.0]]])

    dots, counts = plane.place(given)

    assert counts.sum() == len(given)
    assert len(dots) <= 51
    assert dots[:, 0].max() == plane.scales[0].high
    assert {*map(tuple, dots.tolist())} <= {*map(tuple, rows[:50, [1, 3]].tolist()), (plane.scales[0].high, 0.0)}


def test_no_rows_have_no_dots(forest, rows):
    """A test set without outliers, say."""
    dots, counts = BoundaryPlane.of(forest, rows, NAMES).place(rows[:0])

    assert len(dots) == len(counts) == 0


def test_one_feature_spans_no_plane(forest, rows):
    """The caller asks before."""
    with pytest.raises(ValueError, match="needs two features"):
        BoundaryPlane.of(forest, rows, ("a",))
