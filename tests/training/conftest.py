"""Small files and models for the tests of training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from training.bundle.write import TrainedModel
from training.data.dataset import Dataset


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a file into the test's folder and returns its path."""

    def write(content: str | bytes, name: str = "rows.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(scope="session")
def small_model() -> TrainedModel:
    """Return a forest of five trees on 300 rows."""
    rows = np.random.default_rng(1).normal(size=(300, 2))
    estimator = IsolationForest(n_estimators=5, contamination=0.1, random_state=1).fit(rows)
    return TrainedModel("credits", estimator, Dataset(("mean", "sd"), rows, Path("rows.csv"), "0" * 64, ("mean", "sd")))
