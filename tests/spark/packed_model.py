"""A packed model, rows, and scikit-learn's answers to them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.ensemble import IsolationForest


class PackedModel(NamedTuple):
    """A fitted estimator, its bundle, and the pack of that."""

    estimator: IsolationForest
    folder: Path
    pack: Path

    def score(self, rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return scikit-learn's labels and scores."""
        matrix = np.column_stack([rows["mean"].to_numpy(), rows["sd"].to_numpy()])
        return self.estimator.predict(matrix), self.estimator.score_samples(matrix)


def make_rows(n_rows: int) -> pa.Table:
    """Return rows with an id, more spread than those of training."""
    values = np.random.default_rng(2).normal(size=(n_rows, 2)) * 1.3
    return pa.table({"id": np.arange(n_rows), "mean": values[:, 0], "sd": values[:, 1]})
