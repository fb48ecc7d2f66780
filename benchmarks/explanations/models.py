"""Models and rows that explanations are measured with."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from app.model.bundle import Bundle
from app.model.explain import Explainer
from app.model.schema import Features, describe_columns
from training.fitting.compile import compile_forest
from training.fitting.out_of_bag import score_out_of_bag


@dataclass(frozen=True)
class Explained:
    """A fitted forest, the same as a loaded bundle, and what it was fitted to, shape ``(n_rows, n_features)``."""

    estimator: IsolationForest
    bundle: Bundle
    rows: NDArray[np.float32]

    @property
    def explainer(self) -> Explainer:
        """What is measured."""
        return self.bundle.explainer


def fit(
    rows: NDArray[np.floating],
    seed: int,
    contamination: float | str = "auto",
    n_trees: int = 100,
    max_samples: int = 256,
) -> Explained:
    """Fit a forest and describe its columns, without writing files."""
    rows = np.asarray(rows, np.float32)
    estimator = IsolationForest(
        n_estimators=n_trees,
        max_samples=min(max_samples, len(rows)),
        contamination=contamination,
        random_state=seed,
    ).fit(rows)
    forest = compile_forest(estimator)
    names = tuple(f"x{number}" for number in range(1, rows.shape[1] + 1))
    bundle = Bundle(
        folder=Path(),
        name="measured",
        version="measured",
        trained_at=datetime.now(UTC),
        features=Features.of(names, rows),
        forest=forest,
        # Explanations do not use it.
        confidence=None,  # type: ignore[arg-type]
        out_of_bag=score_out_of_bag(estimator, forest, rows.astype(np.float64)),
        manifest=describe_columns(names, rows.astype(np.float64)),
    )
    return Explained(estimator, bundle, rows)


def read_rows(file: Path) -> NDArray[np.float64]:
    """Read a CSV file of numbers with a header."""
    with file.open(encoding="utf-8", newline="") as opened:
        return np.array(list(csv.reader(opened))[1:], np.float64)
