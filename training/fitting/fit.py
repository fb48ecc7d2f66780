"""Fit an Isolation Forest: check its parameters, then grow its trees in batches, so that progress can be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from training.errors import BadArgument

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

# Enough for a bar that moves; in each batch, scikit-learn walks over all existing trees.
_BATCHES = 20

# The forest's sizes with --estimators auto: each costs as much as all before it together would, so that at most half of
# the work is in vain. Beyond 2,000 trees, a row costs more than most callers want to wait for.
AUTO_TREES = (100, 200, 300, 500, 700, 1000, 1400, 2000)

# Of the rows that either half flags. Halves of 1,000 trees agree that well on the sample of credits.
_ENOUGH_AGREEMENT = 0.95

# scikit-learn seeds NumPy's legacy generator, which takes 32 bits.
_MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class ForestParameters:
    """The parameters of a forest, with the names and meanings of scikit-learn's ``IsolationForest``.

    Parameters
    ----------
    contamination
        Share of training rows to flag, in (0, 0.5]; "auto" flags scores below -0.5, as in the original paper.
    n_estimators
        Trees, at least 1.
    max_samples
        Training rows that each tree sees, at least 1; "auto" is 256, or all rows if there are fewer.
    max_features
        Share of the features that each tree sees, in (0, 1].
    bootstrap
        Whether a tree may draw the same row more than once.
    random_state
        Seed: the same seed and rows give the same forest.

    Raises
    ------
    BadArgument
        If a value is out of its range; the message names the option.

    Examples
    --------
    >>> ForestParameters(contamination=0.7)
    Traceback (most recent call last):
    training.errors.BadArgument: --contamination 0.7 is out of range; use auto or a number in (0, 0.5].
    """

    contamination: float | Literal["auto"] = "auto"
    n_estimators: int = 100
    max_samples: int | Literal["auto"] = "auto"
    max_features: float = 1.0
    bootstrap: bool = False
    # The seed of the results in the documentation.
    random_state: int = 16

    def __post_init__(self) -> None:
        if self.contamination != "auto" and not 0 < self.contamination <= 0.5:
            raise BadArgument(
                f"--contamination {self.contamination} is out of range; use auto or a number in (0, 0.5]."
            )
        if self.n_estimators < 1:
            raise BadArgument(f"--estimators {self.n_estimators} is not a number of trees; use at least 1.")
        if self.max_samples != "auto" and self.max_samples < 1:
            raise BadArgument(f"--max-samples {self.max_samples} is not a number of rows; use auto or at least 1.")
        if not 0 < self.max_features <= 1:
            raise BadArgument(f"--max-features {self.max_features} is out of range; use a number in (0, 1].")
        if not 0 <= self.random_state <= _MAX_SEED:
            raise BadArgument(f"--seed {self.random_state} is out of range; use 0 to {_MAX_SEED}.")

    def check_rows(self, n_rows: int) -> None:
        """Refuse a sample that is larger than the training data.

        Raises
        ------
        BadArgument
            If ``max_samples`` is more than ``n_rows``.
        """
        if self.max_samples != "auto" and self.max_samples > n_rows:
            raise BadArgument(
                f"--max-samples {self.max_samples} is more than the {n_rows} training rows; use auto or less."
            )


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
        Parameters of the forest.
    on_progress
        Called after each batch with the number of fitted trees.

    Returns
    -------
    The estimator, identical to one fitted by a single call of ``fit``.

    Raises
    ------
    BadArgument
        If the parameters do not fit the number of rows.
    """
    # Imported here: the command line reads the defaults above, and must not wait a second for scikit-learn.
    from sklearn.ensemble import IsolationForest

    parameters.check_rows(len(rows))
    # An array, not a table: an estimator with column names warns if it scores rows without them. scikit-learn would
    # convert to float32 in each batch.
    single_precision_rows = np.asarray(rows, dtype=np.float32)
    wanted = asdict(parameters)
    forest = IsolationForest(**wanted | {"contamination": "auto", "warm_start": True})
    seeds = []
    for n_trees in _plan_batches(parameters.n_estimators):
        forest.set_params(n_estimators=n_trees).fit(single_precision_rows)
        seeds.append(forest._seeds)
        on_progress(n_trees)
    # scikit-learn stores the seeds of the last batch only, and derives `estimators_samples_` from them.
    forest._seeds = np.concatenate(seeds)
    return _learn_offset(forest.set_params(warm_start=False), single_precision_rows, parameters)


def _learn_offset(forest: IsolationForest, rows: NDArray[np.float32], parameters: ForestParameters) -> IsolationForest:
    """Set the threshold that the contamination means, as scikit-learn does, with the compiled forest's equal scores."""
    from training.fitting.compile import compile_forest

    forest.set_params(contamination=parameters.contamination)
    if parameters.contamination != "auto":
        forest.offset_ = np.percentile(compile_forest(forest).score(rows), 100.0 * parameters.contamination)
    return forest


def fit_until_agreed(
    rows: NDArray[np.float64],
    parameters: ForestParameters,
    on_progress: Callable[[int], None] = lambda n_trees: None,
) -> tuple[IsolationForest, list[tuple[int, float | None]]]:
    """Grow a forest until two independent halves of its trees agree on 95 % of the flagged rows, or to 2,000 trees.

    Parameters are those of :func:`fit`; the number of trees among them is not used.

    Returns
    -------
    The estimator, identical to one fitted by a single call of ``fit`` with as many trees; and after each batch, the
    number of trees and the agreement, in [0, 1].
    """
    from sklearn.ensemble import IsolationForest

    from training.fitting.compile import compile_forest
    from training.fitting.evaluate import AUTO_THRESHOLD, measure_agreement

    parameters.check_rows(len(rows))
    single_precision_rows = np.asarray(rows, dtype=np.float32)
    forest = IsolationForest(**asdict(parameters) | {"contamination": "auto", "warm_start": True})
    seeds, curve = [], []
    for n_trees in AUTO_TREES:
        forest.set_params(n_estimators=n_trees).fit(single_precision_rows)
        seeds.append(forest._seeds)
        on_progress(n_trees)
        compiled = compile_forest(forest)
        if parameters.contamination == "auto":
            n_flagged = int((compiled.score(single_precision_rows) < AUTO_THRESHOLD).sum())
        else:
            n_flagged = max(1, round(parameters.contamination * len(rows)))
        curve.append((n_trees, agreement := measure_agreement(compiled, rows, n_flagged)))
        if agreement is None or agreement >= _ENOUGH_AGREEMENT:
            break
    forest._seeds = np.concatenate(seeds)
    return _learn_offset(forest.set_params(warm_start=False), single_precision_rows, parameters), curve


def _plan_batches(n_trees: int) -> list[int]:
    """Return the number of trees after each batch; the last is ``n_trees``."""
    step = max(1, n_trees // _BATCHES)
    return [*range(step, n_trees, step), n_trees]
