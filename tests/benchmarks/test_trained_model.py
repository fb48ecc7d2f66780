"""The model that all servers load, and the rows that they are sent."""

from __future__ import annotations

import joblib
import numpy as np
import pytest

from app.model.bundle import read_bundle
from benchmarks.trained_model import CannotTrain, draw_batch, train


@pytest.mark.long
def test_bundle_equals_the_estimator_and_rows_are_distinct(training_csv, tmp_path):
    """The bundle gives scikit-learn's answers to the rows, which are in random order."""
    model = train(training_csv, tmp_path)

    forest = read_bundle(model.bundles / "current").forest
    scores, labels = forest.score_and_label(model.rows)
    assert np.abs(scores - model.scores).max() <= 1e-12
    assert labels.tolist() == model.labels
    assert joblib.load(model.estimator_file).contamination == 0.001
    assert 200 <= len(model.rows) == len(np.unique(model.rows, axis=0))
    assert model.rows.tolist() != sorted(model.rows.tolist())


def test_batch_of_training_rows_is_reproducible():
    """Every run scores the same training rows."""
    training_rows = np.arange(10.0).reshape(5, 2)
    batch = draw_batch(training_rows, 100)

    assert batch.shape == (100, 2)
    assert {tuple(row) for row in batch.tolist()} == {tuple(row) for row in training_rows.tolist()}
    assert np.array_equal(batch, draw_batch(training_rows, 100))


def test_missing_file_is_reported_with_what_to_do(tmp_path):
    """Nothing is trained without rows."""
    with pytest.raises(CannotTrain, match=r"none\.csv does not exist: make it with `make data`"):
        train(tmp_path / "none.csv", tmp_path)
