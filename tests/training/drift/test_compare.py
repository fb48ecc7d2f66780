"""Two files are compared feature by feature; a change has to be both significant and large enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.data.dataset import Dataset
from training.drift.compare import compare_files
from training.errors import BadData

NAMES = ("mean", "sd", "visits")


def make_data(rows, name="rows.csv", names=NAMES):
    """Make a data set of rows with feature names."""
    return Dataset(names, np.asarray(rows, np.float64), Path(name), "0" * 64, names)


def draw_rows(n_rows, seed, shift=(0, 0, 0)):
    """Draw rows with normal features that may be shifted."""
    return np.random.default_rng(seed).normal(size=(n_rows, 3)) + shift


def distance_by_definition(one, other):
    """Compute the largest difference between the empirical distribution functions."""
    return max(abs(np.mean(one <= value) - np.mean(other <= value)) for value in np.concatenate([one, other]))


def test_changed_features_come_first():
    """With distance, direction and a p-value that is corrected for the number of features and for whole rows."""
    reference, current = draw_rows(400, 1), draw_rows(300, 2, shift=(0, -1, 0.5))

    found = compare_files(make_data(reference), make_data(current), min_effect=0.1)

    assert [change.name for change in found.features] == ["sd", "visits", "mean"]
    assert [change.name for change in found.changed] == ["sd", "visits"]
    farthest, second, unchanged = found.features
    assert farthest.distance == pytest.approx(
        distance_by_definition(*(rows[:, 1].astype(np.float32) for rows in (reference, current)))
    )
    assert farthest.corrected_p_value == pytest.approx(6 * farthest.p_value)
    assert second.corrected_p_value == pytest.approx(4 * second.p_value)
    assert farthest.shift < -0.5 < 0.2 < second.shift
    assert farthest.stability.index > farthest.stability.threshold
    assert not unchanged.is_significant
    assert (found.whole_rows.p_value, found.corrected_p_of_whole_rows) == (0.001, 0.002)


def test_small_change_of_many_rows_is_no_drift():
    """It is significant but not large enough; with a smaller minimum effect it counts."""
    reference, current = make_data(draw_rows(20_000, 1)), make_data(draw_rows(20_000, 2, shift=(0.1, 0, 0)))

    found = compare_files(reference, current, min_effect=0.1)

    assert found.features[0].is_significant
    assert found.changed == ()
    assert [change.name for change in compare_files(reference, current, min_effect=0.03).changed] == ["mean"]


def test_large_distance_of_few_rows_may_be_chance():
    """Then nothing has changed, and the smallest detectable distance is larger."""
    found = compare_files(make_data(draw_rows(20, 3)), make_data(draw_rows(20, 4)), min_effect=0.1)

    assert found.features[0].distance > 0.1
    assert found.changed == ()
    assert found.smallest_visible_distance > 0.4


@pytest.mark.parametrize("n_rows", [100, 3000])
def test_smallest_detectable_distance_is_correct(n_rows):
    """A feature with 1.5 times this distance is detected, one with half of it is not."""
    reference = np.column_stack([np.linspace(0, 1, n_rows)] * 3)
    visible = compare_files(make_data(reference), make_data(reference), 0.0).smallest_visible_distance

    for factor, is_found in ((1.5, True), (0.5, False)):
        current = reference + np.array([factor * visible, 0, 0])
        found = compare_files(make_data(reference), make_data(current), 0.0)
        assert found.features[0].distance == pytest.approx(factor * visible, abs=2 / n_rows)
        assert (len(found.changed) == 1) == is_found


def test_file_in_single_precision_has_not_changed():
    """Otherwise all values that many rows share would seem to have moved."""
    rows = np.random.default_rng(1).choice([0.1, 0.2, 0.7], size=(500, 3))

    found = compare_files(make_data(rows), make_data(rows.astype(np.float32)), min_effect=0.0)

    assert [change.distance for change in found.features] == [0, 0, 0]
    assert [change.stability.index for change in found.features] == [0, 0, 0]


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        ([[1.0]] * 20, [[1.0]] * 20),
        ([[1.0]] * 20, [[2.0]] * 20),
        ([[3.4e38], [-3.4e38]] * 10, [[5e-324], [0.0]] * 10),
        ([[1.0], [np.nextafter(np.float32(1), np.float32(2))]] * 10, [[1.0]] * 25),
    ],
    ids=["a constant", "another constant", "both ends of float32", "neighbours"],
)
def test_extreme_rows_are_compared(reference, current):
    """Very large, very small and equal numbers."""
    found = compare_files(make_data(reference, names=("a",)), make_data(current, names=("a",)), 0.1)

    [change] = found.features
    assert 0 <= change.distance <= 1
    assert np.isfinite([change.shift, change.stability.index, change.stability.threshold]).all()
    assert (change.distance == 0) == (reference[0] == current[0] and len(current) == 20)


@pytest.mark.parametrize(
    ("n_reference", "n_current", "count"), [(19, 20, "19 rows"), (20, 1, "1 row"), (0, 20, "0 rows")]
)
def test_too_few_rows_are_refused(n_reference, n_current, count):
    """Nothing could be distinguished from chance."""
    reference, current = make_data(draw_rows(n_reference, 1)), make_data(draw_rows(n_current, 2))

    with pytest.raises(BadData, match=f"has {count}, too few to distinguish a change from chance; use at least 20"):
        compare_files(reference, current, min_effect=0.1)
