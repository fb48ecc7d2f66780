"""A model and its pack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from spark.pack import pack_bundle
from tests.spark.packed_model import PackedModel
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedModel:
    """A forest of numbers."""
    folder = tmp_path_factory.mktemp("packed")
    rows = np.random.default_rng(1).normal(size=(2000, 2))
    estimator = IsolationForest(n_estimators=50, contamination=0.01, random_state=1).fit(rows)
    data = Dataset(("mean", "sd"), rows, Path("rows.csv"), "0" * 64, ("mean", "sd"))
    bundle = write_bundle(folder / "models", TrainedModel("credits", estimator, data)).folder
    pack = folder / "pack.zip"
    pack.write_bytes(pack_bundle(bundle))
    return PackedModel(estimator, bundle, pack)
