"""How far the distribution of one column moved between two files: of numbers, or of levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.drift.mmd import RobustScaling
from app.model.schema import Features, Levels
from training.drift.ks_test import compare_values
from training.drift.levels_test import compare_levels, compare_stability, count_codes
from training.drift.psi import Stability

# The usual level for corrected p-values.
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class FeatureChange:
    """How far the distribution of one feature moved.

    Parameters
    ----------
    name
        The feature.
    distance
        The Kolmogorov-Smirnov distance, in [0, 1]: the largest difference of the shares of rows up to any value. Of a
        category or boolean, the total variation distance: the share of rows that would have to change their level.
    p_value, corrected_p_value
        Probability of such a distance without a change; corrected for the number of features and for whole rows.
    stability
        Counts in bins of the reference, with the population stability index.
    medians
        Medians of the reference and of the current rows; NaN for levels.
    shift
        Difference of the medians in spreads of the reference: the interquartile range, or a wider one where that is 0.
        NaN for levels.
    labels
        What the bins of the stability index are, of a category or boolean; empty for numbers.
    """

    name: str
    distance: float
    p_value: float
    corrected_p_value: float
    stability: Stability
    medians: tuple[float, float]
    shift: float
    labels: tuple[str, ...] = ()

    @property
    def is_significant(self) -> bool:
        """Whether the change is significant."""
        return self.corrected_p_value < SIGNIFICANCE


def compare_column(
    name: str, reference: NDArray[np.float64], current: NDArray[np.float64], levels: Levels | None = None
) -> FeatureChange:
    """Compare the values of a column in two files; the p-value is not corrected yet.

    Parameters
    ----------
    name
        The column.
    reference, current
        Shape ``(n_rows,)``: numbers, or numbers of levels; NaN for a missing value.
    levels
        The levels of the reference, of a category or boolean.

    Examples
    --------
    >>> found = compare_column("country", np.repeat([0.0, 1], 50), np.repeat([0.0, -1], [50, 50]), ("DE", "FR"))
    >>> found.distance, found.labels
    (0.5, ('DE', 'FR', 'other levels'))
    """
    if levels:
        return _compare_levels(name, reference, current, levels)
    # A missing value ranks below all others, as in the detectors: a growing share of them is a change.
    before, after = (_fill(values, reference) for values in (reference, current))
    test = compare_values(before, after)
    present, later = (values[~np.isnan(values)] for values in (reference, current))
    if not present.size or not later.size:
        medians, shift = (float("nan"), float("nan")), float("nan")
    else:
        scaling = RobustScaling.of(present[:, None])
        medians = float(scaling.centre[0]), float(np.median(later))
        shift = float((medians[1] - medians[0]) / scaling.spread[0])
    return FeatureChange(name, test.distance, test.p_value, test.p_value, Stability.of(before, after), medians, shift)


def _fill(values: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace missing values by a number below those of the reference."""
    if not np.isnan(values).any():
        return values
    present = reference[~np.isnan(reference)]
    low, high = (float(present.min()), float(present.max())) if present.size else (0.0, 0.0)
    return Features(("",), (low,), (high,), can_be_missing=(True,)).fill_missing(values[:, None])[:, 0]


def _compare_levels(
    name: str, reference: NDArray[np.float64], current: NDArray[np.float64], levels: Levels
) -> FeatureChange:
    """Compare how many rows have each level; those of the current file that the reference lacks count together."""
    before, after = (count_codes(codes, len(levels)) for codes in (reference, current))
    test = compare_levels(before, after)
    stability, shown = compare_stability(before, after)
    named = [
        *(str(level).lower() if type(level) is bool else str(level) for level in levels),
        "other levels",
        "missing",
    ]
    labels = [named[place] for place in shown]
    if len(labels) < len(stability.reference):
        labels.append("all others")
    nothing = float("nan")
    return FeatureChange(
        name, test.distance, test.p_value, test.p_value, stability, (nothing, nothing), nothing, tuple(labels)
    )
