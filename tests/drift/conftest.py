"""Realistic rows, half of which are on a few points, and detectors that are calibrated on them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.drift.calibration import Calibration
from training.drift.calibrate import DriftParameters, ScoredRows, calibrate


def make_rows(n_rows: int, seed: int) -> NDArray[np.float64]:
    """Two features with heavy tails; half of the rows are on three points."""
    generator = np.random.default_rng(seed)
    rows = generator.lognormal(size=(n_rows, 2))
    points = np.array([[0.2, 0.1], [0.5, 0.1], [1.0, 0.3]])
    return np.where(generator.random((n_rows, 1)) < 0.5, generator.choice(points, n_rows), rows)


def score_rows(rows: NDArray[np.float64]) -> ScoredRows:
    """A fake forest: rows far from the middle have a low score, and about one in thirty is an outlier."""
    scores = -1 + np.exp(-np.abs(rows).sum(axis=1) / 5)
    return ScoredRows(rows, scores, np.where(scores < -0.8, -1, 1))


@pytest.fixture(scope="session")
def calibration() -> Calibration:
    """Windows of 20 rows, 200 rows between signals."""
    training = score_rows(make_rows(10_000, seed=1))
    reference, others = training.take(np.arange(2000)), training.take(np.arange(2000, 10_000))
    return calibrate(reference, others, float((training.labels < 0).mean()), DriftParameters(200, 20))
