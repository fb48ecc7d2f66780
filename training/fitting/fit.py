"""Fitting an Isolation Forest in batches of trees, so that progress shows; the result is that of one fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from training.fitting.parameters import ForestParameters

# Enough for a bar that moves; each batch costs scikit-learn a walk over the trees that are already there.
_BATCHES = 20


def fit(
    rows: NDArray[np.float64],
    parameters: ForestParameters,
    on_progress: Callable[[int], None] = lambda n_trees: None,
) -> IsolationForest:
    """Fit a forest on training rows.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_features)``, finite, within float32.
    parameters
        How the forest is grown.
    on_progress
        Called after each batch with the number of trees that stand.

    Returns
    -------
    The estimator, equal in every part to one fitted with a single call of ``fit``.

    Raises
    ------
    BadArgument
        If the parameters do not fit the number of rows.
    """
    parameters.check_rows(len(rows))
    # An array, not a table: an estimator that knows column names warns when it is asked without them. float32
    # is what scikit-learn would convert to in each batch.
    rows_as_compared = np.asarray(rows, dtype=np.float32)
    wanted = asdict(parameters)
    forest = IsolationForest(**wanted | {"contamination": "auto", "warm_start": True})
    seeds = []
    for n_trees in _plan_batches(parameters.n_estimators):
        forest.set_params(n_estimators=n_trees)
        if n_trees == parameters.n_estimators:
            # Finding the offset means scoring all rows, so only the last batch is told the contamination.
            forest.set_params(contamination=parameters.contamination)
        forest.fit(rows_as_compared)
        seeds.append(forest._seeds)
        on_progress(n_trees)
    # scikit-learn keeps the last batch's seeds alone, and derives `estimators_samples_` from them.
    forest._seeds = np.concatenate(seeds)
    return forest.set_params(warm_start=False)


def _plan_batches(n_trees: int) -> list[int]:
    """Number the trees that stand after each batch, ending with all of them."""
    step = max(1, n_trees // _BATCHES)
    return [*range(step, n_trees, step), n_trees]
