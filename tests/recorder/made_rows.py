"""Scored rows for tests of the recorder."""

from __future__ import annotations

import numpy as np

from app.model.scoring import ScoredRows


def make_scored(n_rows: int, n_features: int = 2, seed: int = 0) -> ScoredRows:
    """Return rows with made-up results."""
    generator = np.random.default_rng(seed)
    return ScoredRows(
        rows=generator.normal(size=(n_rows, n_features)).astype(np.float32),
        scores=-generator.random(n_rows),
        labels=generator.choice([1, -1], n_rows),
        confidences=generator.random(n_rows),
    )
