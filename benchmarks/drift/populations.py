"""Populations from which training rows and streams are drawn, so that training samples can have any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import Calibration
from app.model.forest import OUTLIER, Forest
from benchmarks.drift.held_out_rows import score
from training.data.synthetic import make_credits
from training.drift.calibrate import DriftParameters, ScoredRows, calibrate, split_reference
from training.fitting.compile import compile_forest
from training.fitting.fit import ForestParameters, fit

_ROWS = 100_000

# Outliers are rare in practice; with fewer, 4,000 rows would have hardly any.
_CONTAMINATION = 0.01


def make_mixture(n_rows: int, n_features: int = 10) -> NDArray[np.float64]:
    """Draw rows of a mixture of five normal distributions, of shares from 10 to 40 %."""
    generator = np.random.default_rng(77)
    shares = np.array([0.4, 0.25, 0.15, 0.1, 0.1])
    centres = generator.normal(0, 2, (len(shares), n_features))
    shapes = generator.normal(0, 0.6, (len(shares), n_features, n_features))
    chosen = generator.choice(len(shares), n_rows, p=shares)
    rows: NDArray[np.float64] = centres[chosen]
    rows += np.einsum("rij,rj->ri", shapes[chosen], generator.normal(size=(n_rows, n_features)))
    return rows


def make_populations(real: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the rows of each population; drawn with replacement, they are as good as endless."""
    return {"real": real, "synthetic": make_credits(_ROWS, 12345), "mixture": make_mixture(_ROWS)}


@dataclass(frozen=True)
class Trained:
    """A forest and its drift detectors, trained on rows of a population, and that population with its scores."""

    forest: Forest
    training: ScoredRows
    population: ScoredRows

    @classmethod
    def on(cls, population: NDArray[np.float64], n_rows: int, seed: int) -> Trained:
        """Train on so many rows, drawn with replacement."""
        rows = population[np.random.default_rng(seed).integers(0, len(population), n_rows)]
        forest = compile_forest(fit(rows, ForestParameters(contamination=_CONTAMINATION, random_state=seed)))
        return cls(forest, score(forest, rows), score(forest, population))

    def calibrate(self) -> Calibration:
        """Calibrate the detectors as `train` does."""
        reference, others = split_reference(len(self.training))
        share = float((self.training.labels == OUTLIER).mean())
        return calibrate(self.training.take(reference), self.training.take(others), share, DriftParameters())
