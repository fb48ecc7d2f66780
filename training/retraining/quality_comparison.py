r"""Precision, recall and F1 of two models on the same labelled rows, and the interval of their difference.

Labels are unevenly spread: most are of alarms, and of the other rows only those drawn for an audit are informative. So
rows are grouped into cells by the recorded answer and by whether each of the two models flags them. The number of rows
in each cell is known from the records; the share of outliers among them is estimated from the labelled rows of the
cell, which are a random sample of it. All figures of both models follow from the same shares.

:mod:`app.quality` estimates the figures of one model, figure by figure. Its intervals cannot be reused: this is a
paired comparison, and the interval of a difference needs draws of the same outliers for both models.

Notes
-----
In a cell with :math:`k` outliers among :math:`n` labelled rows the share is drawn from the Beta distribution with the
parameters :math:`k` and :math:`n - k + 1`, or with :math:`k + 1` and :math:`n - k`, each half of the time: these give
the lower and the upper end of the Clopper-Pearson interval, and the mixture gives the mid-P interval, which is narrower
and on average not too narrow. Rows that were drawn with unequal probabilities weigh their inverses, and :math:`n`
is the effective number, the square of the sum of the weights over the sum of their squares.

A bootstrap of the labelled rows would work if each cell had many. But few rows are flagged by the new model only, and
perhaps none of them is labelled: a bootstrap cannot represent an empty cell, while the draws above allow any share.

References
----------
G. Berry and P. Armitage, "Mid-P Confidence Intervals: A Brief Review", The Statistician 44 (1995).
L. Kish, "Survey Sampling", Wiley 1965: the effective number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.quality.figures import MIN_LABELS_PER_CLASS, f1_score, precision, recall

METRICS = ("precision", "recall", "f1")

# Enough that the ends of an interval vary between seeds by less than a hundredth of its width.
_DRAWS = 20_000

_ENDS = (0.025, 0.975)

# Answered outlier or not, flagged by the live model or not, flagged by the candidate or not.
CELLS = (2, 2, 2)


@dataclass(frozen=True)
class CellCounts:
    """The number of answered rows in each cell.

    Parameters
    ----------
    rows
        Estimates from the recorded rows, each weighted by its inverse inclusion probability; shape ``(2, 2, 2)``:
        answered, live, candidate, where 1 is flagged.
    variances
        Variances of these estimates; 0 where every row was recorded. Same shape.
    """

    rows: NDArray[np.float64]
    variances: NDArray[np.float64]

    def flagged_share(self, model: int) -> float:
        """Return the share of rows that model 0 (live) or 1 (candidate) flags, in [0, 1]; NaN without rows."""
        total = self.rows.sum()
        return float(self.rows.take(1, axis=1 + model).sum() / total) if total else float("nan")

    @property
    def agreement(self) -> float:
        """The share of rows to which both models give the same label, in [0, 1]; NaN without rows."""
        total = self.rows.sum()
        return float((self.rows[:, 0, 0] + self.rows[:, 1, 1]).sum() / total) if total else float("nan")


@dataclass(frozen=True)
class HoldoutRows:
    """Labelled rows of the holdout set, on which both models are compared.

    Parameters
    ----------
    answered, live, candidate
        Whether the model that answered flagged each row, and whether either model does; shape ``(n_rows,)``.
    is_outlier
        True labels, same shape.
    weights
        How many rows of its cell each represents, relative to the others in the cell; same shape.
    """

    answered: NDArray[np.bool_]
    live: NDArray[np.bool_]
    candidate: NDArray[np.bool_]
    is_outlier: NDArray[np.bool_]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.is_outlier)


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class QualityComparison:
    """The quality of two models on labelled rows.

    Parameters
    ----------
    n_alarms, n_audited, n_outliers
        Labelled rows: answered as outliers, drawn for an audit; known outliers among both.
    live, candidate, difference
        The value of each of ``METRICS``; the difference is candidate minus live. Empty if there are not enough labels.
    reason
        Why there are no values; empty if there are.
    """

    n_alarms: int
    n_audited: int
    n_outliers: int
    live: dict[str, Interval]
    candidate: dict[str, Interval]
    difference: dict[str, Interval]
    reason: str = ""


def compare_quality(holdout: HoldoutRows, cells: CellCounts, seed: int = 0) -> QualityComparison:
    """Compare two models on labelled rows.

    Parameters
    ----------
    holdout
        The labelled rows.
    cells
        Number of answered rows in each cell.
    seed
        Seed of the draws.

    Examples
    --------
    A hundred labelled alarms, every second one true, and a hundred audited rows without an outlier; the candidate
    raises half of the false alarms only.

    >>> alarm = np.arange(200) < 100
    >>> is_outlier = alarm & (np.arange(200) % 2 == 0)
    >>> candidate = alarm & (np.arange(200) % 4 != 3)
    >>> holdout = HoldoutRows(alarm, alarm, candidate, is_outlier, np.ones(200))
    >>> rows = np.zeros(CELLS)
    >>> rows[0, 0, 0], rows[1, 1, 0], rows[1, 1, 1] = 10_000, 250, 750
    >>> compared = compare_quality(holdout, CellCounts(rows, np.zeros(CELLS)))
    >>> round(compared.live["precision"].value, 2), round(compared.candidate["precision"].value, 2)
    (0.5, 0.66)
    >>> compared.difference["f1"].low > 0
    True
    """
    n_outliers, n_alarms = int(holdout.is_outlier.sum()), int(holdout.answered.sum())
    n_inliers, n_audited = len(holdout) - n_outliers, len(holdout) - n_alarms
    # Without audited rows the number of missed outliers is unknown.
    if min(n_outliers, n_inliers, n_audited) < MIN_LABELS_PER_CLASS:
        return QualityComparison(
            n_alarms,
            n_audited,
            n_outliers,
            live={},
            candidate={},
            difference={},
            reason=f"not enough labels: {n_outliers:,} known outliers, {n_inliers:,} known inliers and {n_audited:,} "
            f"audited rows, and {MIN_LABELS_PER_CLASS} of each are needed",
        )
    generator = np.random.default_rng(seed)
    rows, outliers = _draw_cells(holdout, cells, generator)
    figures = [_compute_metrics(rows, outliers, axis) for axis in (2, 3)]
    live, candidate = ({name: _summarize(values) for name, values in each.items()} for each in figures)
    # In each draw both models face the same outliers, which makes the difference more certain than either figure.
    difference = {name: _summarize(figures[1][name] - figures[0][name]) for name in METRICS}
    return QualityComparison(n_alarms, n_audited, n_outliers, live, candidate, difference)


def _draw_cells(
    holdout: HoldoutRows, cells: CellCounts, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the number of rows and of outliers in each cell; both of shape ``(draws, 2, 2, 2)``."""
    rows, outliers = np.zeros((2, _DRAWS, *CELLS))
    for cell in np.ndindex(*CELLS):
        mean, variance = cells.rows[cell], cells.variances[cell]
        if not mean:
            continue
        # A Gamma distribution, because a number of rows is never negative.
        rows[:, *cell] = (
            generator.gamma(mean**2 / variance, variance / mean, _DRAWS) if variance else np.full(_DRAWS, mean)
        )
        here = (holdout.answered == cell[0]) & (holdout.live == cell[1]) & (holdout.candidate == cell[2])
        weights = holdout.weights[here]
        n_effective = float(weights.sum() ** 2 / (weights**2).sum()) if here.any() else 0.0
        share = float(weights[holdout.is_outlier[here]].sum() / weights.sum()) if here.any() else 0.0
        n_found = share * n_effective
        outliers[:, *cell] = rows[:, *cell] * _draw_shares(n_found, n_effective, generator)
    return rows, outliers


def _draw_shares(n_found: float, n: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw the share of outliers in a cell, such that the quantiles are the ends of mid-P intervals."""
    # A Beta distribution with a parameter of 0 is concentrated at one end.
    low = generator.beta(n_found, n - n_found + 1, _DRAWS) if n_found else np.zeros(_DRAWS)
    high = generator.beta(n_found + 1, n - n_found, _DRAWS) if n > n_found else np.ones(_DRAWS)
    return np.where(generator.random(_DRAWS) < 0.5, low, high)


def _compute_metrics(
    rows: NDArray[np.float64], outliers: NDArray[np.float64], axis: int
) -> dict[str, NDArray[np.float64]]:
    """Compute each metric of one model for every draw; ``axis`` is the model's."""
    flagged = rows.take(1, axis=axis).sum(axis=(1, 2))
    caught = outliers.take(1, axis=axis).sum(axis=(1, 2))
    missed = outliers.take(0, axis=axis).sum(axis=(1, 2))
    return {
        "precision": precision(caught, flagged),
        "recall": recall(caught, missed),
        "f1": f1_score(caught, missed, flagged),
    }


def _summarize(values: NDArray[np.float64]) -> Interval:
    """Return the mean and the ends of the interval."""
    low, high = np.quantile(values, _ENDS)
    # Unlike medians, the means of two figures differ by the mean of their differences, as readers expect.
    return Interval(float(values.mean()), float(low), float(high))
