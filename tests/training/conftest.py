"""Small files and models for the tests of training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from training.bundle import plots
from training.bundle.write import TrainedModel
from training.data.dataset import Dataset

# A PNG file of one grey pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)


@pytest.fixture(autouse=True)
def replace_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save a pixel instead of each picture of a bundle: drawing takes longer than the rest of a small training.

    Tests of reports and of pictures get them.
    """
    if request.path.name not in ("test_plots.py", "test_report.py"):
        monkeypatch.setattr(plots, "to_png", lambda figure: PIXEL)


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
