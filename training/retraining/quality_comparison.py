r"""Precision, recall and F1 of two models on the same labelled rows, and how sure their difference is.

Labels do not come evenly: most are of alarms, and of the other rows only those that were drawn for an audit tell
anything. So rows are put into cells, by what was answered, and by whether each of the two models flags them. How many
rows were answered in each cell is known from the records; which share of them are outliers is estimated from the
labelled rows of the cell, which are a random part of it. All figures follow from these shares, those of both models
from the same ones.

Notes
-----
In a cell with :math:`k` outliers among :math:`n` labelled rows the share is drawn from the Beta distribution with the
parameters :math:`k` and :math:`n - k + 1`, or with :math:`k + 1` and :math:`n - k`, each half of the time: these give
the lower and the upper end of the Clopper-Pearson interval, and the mixture gives the mid-P interval, which is less
wide and in the mean not too narrow. Rows that were drawn with unequal probabilities weigh their inverses, and :math:`n`
is the effective number, the square of the sum of the weights over the sum of their squares.

Resampling the labelled rows would do where each cell has many. But the rows that only a new model flags are few, and of
these perhaps none is labelled: no resample shows what is not there, while the draws above then take any share for
possible.

References
----------
G. Berry and P. Armitage, "Mid-P Confidence Intervals: A Brief Review", The Statistician 44 (1995).
L. Kish, "Survey Sampling", Wiley 1965: the effective number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

METRICS = ("precision", "recall", "f1")

# With fewer, one more label could turn the verdict: of known outliers, of known inliers, and of audited rows, without
# which nobody knows how many outliers were missed.
FEWEST_LABELS = 20

# The ends of the interval move by less than a hundredth of its width from one seed to another.
_DRAWS = 20_000

_ENDS = (0.025, 0.975)

# Answered outlier or not, flagged by the live model or not, flagged by the candidate or not.
CELLS = (2, 2, 2)


@dataclass(frozen=True)
class CellCounts:
    """How many rows were answered in each cell.

    Parameters
    ----------
    rows
        Estimated from the recorded rows, each counted as many times as it stands for; shape ``(2, 2, 2)``: answered,
        live, candidate, 1 being flagged.
    variances
        Of these estimates; 0 where every row was recorded. Same shape.
    """

    rows: NDArray[np.float64]
    variances: NDArray[np.float64]

    def flagged_share(self, model: int) -> float:
        """Give the share of rows that a model flags, in [0, 1]: 0 is the live one, 1 the candidate; NaN of none."""
        total = self.rows.sum()
        return float(self.rows.take(1, axis=1 + model).sum() / total) if total else float("nan")

    @property
    def agreement(self) -> float:
        """The share of rows to which both models give the same label, in [0, 1]; NaN of none."""
        total = self.rows.sum()
        return float((self.rows[:, 0, 0] + self.rows[:, 1, 1]).sum() / total) if total else float("nan")


@dataclass(frozen=True)
class JudgedRows:
    """Labelled rows that judge both models.

    Parameters
    ----------
    answered, live, candidate
        Whether each was flagged by the model that answered, and would be by either model; shape ``(n_rows,)``.
    is_outlier
        What is known of them, same shape.
    weights
        For how many rows of its cell each stands, relative to the others there; same shape.
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
    """What labelled rows say of two models.

    Parameters
    ----------
    n_alarms, n_audited, n_outliers
        Labelled rows: answered as outliers, drawn for an audit; known outliers among both.
    live, candidate, difference
        For each of ``METRICS`` the figure; the difference is the candidate's less the live model's. Empty if there are
        not enough labels.
    reason
        Why there are none; empty if there are.
    """

    n_alarms: int
    n_audited: int
    n_outliers: int
    live: dict[str, Interval]
    candidate: dict[str, Interval]
    difference: dict[str, Interval]
    reason: str = ""


def compare_quality(judged: JudgedRows, cells: CellCounts, seed: int = 0) -> QualityComparison:
    """Compare two models.

    Parameters
    ----------
    judged
        The labelled rows.
    cells
        How many rows were answered.
    seed
        Of the draws.

    Examples
    --------
    A hundred labelled alarms of which each second one was true, and a hundred audited rows, none of them an outlier;
    the candidate drops half of the false alarms.

    >>> alarm = np.arange(200) < 100
    >>> is_outlier = alarm & (np.arange(200) % 2 == 0)
    >>> candidate = alarm & (np.arange(200) % 4 != 3)
    >>> judged = JudgedRows(alarm, alarm, candidate, is_outlier, np.ones(200))
    >>> rows = np.zeros(CELLS)
    >>> rows[0, 0, 0], rows[1, 1, 0], rows[1, 1, 1] = 10_000, 250, 750
    >>> compared = compare_quality(judged, CellCounts(rows, np.zeros(CELLS)))
    >>> round(compared.live["precision"].value, 2), round(compared.candidate["precision"].value, 2)
    (0.5, 0.66)
    >>> compared.difference["f1"].low > 0
    True
    """
    n_outliers, n_alarms = int(judged.is_outlier.sum()), int(judged.answered.sum())
    n_inliers, n_audited = len(judged) - n_outliers, len(judged) - n_alarms
    if min(n_outliers, n_inliers, n_audited) < FEWEST_LABELS:
        return QualityComparison(
            n_alarms,
            n_audited,
            n_outliers,
            live={},
            candidate={},
            difference={},
            reason=f"not enough labels: {n_outliers:,} known outliers, {n_inliers:,} known inliers and {n_audited:,} "
            f"audited rows judge, and {FEWEST_LABELS} of each are needed",
        )
    generator = np.random.default_rng(seed)
    rows, outliers = _draw_cells(judged, cells, generator)
    figures = [_figures(rows, outliers, axis) for axis in (2, 3)]
    live, candidate = ({name: _sum_up(values) for name, values in each.items()} for each in figures)
    # From draw to draw both models meet the same outliers, which is what makes the difference surer than either figure.
    difference = {name: _sum_up(figures[1][name] - figures[0][name]) for name in METRICS}
    return QualityComparison(n_alarms, n_audited, n_outliers, live, candidate, difference)


def _draw_cells(
    judged: JudgedRows, cells: CellCounts, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw how many rows, and how many outliers, each cell may hold; both of shape ``(draws, 2, 2, 2)``."""
    rows, outliers = np.zeros((2, _DRAWS, *CELLS))
    for cell in np.ndindex(*CELLS):
        mean, variance = cells.rows[cell], cells.variances[cell]
        if not mean:
            continue
        # A Gamma distribution, since a number of rows is not negative.
        rows[:, *cell] = (
            generator.gamma(mean**2 / variance, variance / mean, _DRAWS) if variance else np.full(_DRAWS, mean)
        )
        here = (judged.answered == cell[0]) & (judged.live == cell[1]) & (judged.candidate == cell[2])
        weights = judged.weights[here]
        n_effective = float(weights.sum() ** 2 / (weights**2).sum()) if here.any() else 0.0
        share = float(weights[judged.is_outlier[here]].sum() / weights.sum()) if here.any() else 0.0
        n_found = share * n_effective
        outliers[:, *cell] = rows[:, *cell] * _draw_shares(n_found, n_effective, generator)
    return rows, outliers


def _draw_shares(n_found: float, n: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw which share of a cell may be outliers, so that the quantiles are the ends of mid-P intervals."""
    # A Beta distribution with a parameter of 0 is all at one end.
    low = generator.beta(n_found, n - n_found + 1, _DRAWS) if n_found else np.zeros(_DRAWS)
    high = generator.beta(n_found + 1, n - n_found, _DRAWS) if n > n_found else np.ones(_DRAWS)
    return np.where(generator.random(_DRAWS) < 0.5, low, high)


def _figures(rows: NDArray[np.float64], outliers: NDArray[np.float64], axis: int) -> dict[str, NDArray[np.float64]]:
    """Work out each figure of one model for every draw; ``axis`` is the model's."""
    flagged = rows.take(1, axis=axis).sum(axis=(1, 2))
    found = outliers.take(1, axis=axis).sum(axis=(1, 2))
    every = outliers.sum(axis=(1, 2, 3))
    with np.errstate(invalid="ignore"):
        # A model that flags nothing raises no false alarm, and finds nothing: its precision is taken for 0.
        precision = np.where(flagged > 0, found / flagged, 0.0)
    return {"precision": precision, "recall": found / every, "f1": 2 * found / (flagged + every)}


def _sum_up(values: NDArray[np.float64]) -> Interval:
    """Give the mean and the ends."""
    low, high = np.quantile(values, _ENDS)
    # Unlike medians, the means of two figures differ by the mean of their difference, as readers expect.
    return Interval(float(values.mean()), float(low), float(high))
