"""A model and its pack, and rows with scikit-learn's answers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import IsolationForest

from spark.pack import write_pack
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset


class PackedModel(NamedTuple):
    """A fitted estimator, its bundle, and the pack of that."""

    estimator: IsolationForest
    folder: Path
    pack: Path

    def score(self, rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return scikit-learn's labels and scores."""
        matrix = np.column_stack([rows["mean"].to_numpy(), rows["sd"].to_numpy()])
        return self.estimator.predict(matrix), self.estimator.score_samples(matrix)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedModel:
    """A forest of numbers."""
    folder = tmp_path_factory.mktemp("packed")
    rows = np.random.default_rng(1).normal(size=(2000, 2))
    estimator = IsolationForest(n_estimators=50, contamination=0.01, random_state=1).fit(rows)
    data = Dataset(("mean", "sd"), rows, Path("rows.csv"), "0" * 64, ("mean", "sd"))
    bundle = write_bundle(folder / "models", TrainedModel("credits", estimator, data)).folder
    pack = folder / "pack.zip"
    with pack.open("wb") as opened:
        write_pack(bundle, opened)
    return PackedModel(estimator, bundle, pack)


def make_rows(n_rows: int) -> pa.Table:
    """Return rows with an id, more spread than those of training."""
    values = np.random.default_rng(2).normal(size=(n_rows, 2)) * 1.3
    return pa.table({"id": np.arange(n_rows), "mean": values[:, 0], "sd": values[:, 1]})
