"""Small data sets to draw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.dataset import Dataset


@pytest.fixture
def make_data() -> Callable[..., Dataset]:
    """Return a function that makes a data set of features by name."""

    def make(**features: list[float] | NDArray[np.float64]) -> Dataset:
        rows = np.column_stack(list(features.values())).astype(np.float64)
        return Dataset(tuple(features), rows, Path("rows.csv"), "0" * 64, tuple(features))

    return make


@pytest.fixture
def heavy_tailed() -> NDArray[np.float64]:
    """Return a thousand ordinary values and a few extreme ones."""
    return np.append(np.random.default_rng(1).normal(size=1000), [500.0, 700.0, -900.0])
