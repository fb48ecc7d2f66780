"""Whether a file of rows still looks like another one: each feature by itself, and all features together."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from scipy.stats import ks_2samp

from app.drift.scaling import RobustScaling
from app.drift.single_precision import round_to_single
from training.dataset import Dataset
from training.errors import BadData
from training.holm_correction import correct_by_holm
from training.kernel_comparison import KernelComparison, compare_rows
from training.stability_index import Stability

# A corrected p-value below it is no chance: the usual level.
SIGNIFICANCE = 0.05

# With fewer, only a feature that has left its whole range would be told from chance.
FEWEST_ROWS = 20


@dataclass(frozen=True)
class FeatureChange:
    """How far one feature has moved.

    Parameters
    ----------
    name
        The feature.
    distance
        The Kolmogorov-Smirnov distance, in [0, 1]: the largest difference of the shares of rows up to any value.
    p_value, corrected_p_value
        The chance of such a distance while nothing changes; corrected by Holm for the number of features.
    stability
        The same by bins of the reference, with the population stability index.
    medians
        Of the reference and of the current rows.
    shift
        From one median to the other, in spreads of the reference: interquartile ranges, or wider where that is 0.
    """

    name: str
    distance: float
    p_value: float
    corrected_p_value: float
    stability: Stability
    medians: tuple[float, float]
    shift: float

    @property
    def is_significant(self) -> bool:
        """Whether it is more than chance."""
        return self.corrected_p_value < SIGNIFICANCE


@dataclass(frozen=True)
class DriftComparison:
    """What came of comparing two files.

    Parameters
    ----------
    reference, current
        What was compared.
    features
        The farthest first.
    whole_rows
        All features together.
    min_effect
        The Kolmogorov-Smirnov distance up to which a change does not matter, in [0, 1).
    """

    reference: Dataset
    current: Dataset
    features: tuple[FeatureChange, ...]
    whole_rows: KernelComparison
    min_effect: float

    @property
    def changed(self) -> tuple[FeatureChange, ...]:
        """The features whose change is more than chance and large enough to matter, the farthest first."""
        return tuple(each for each in self.features if each.is_significant and each.distance > self.min_effect)

    @property
    def smallest_visible_distance(self) -> float:
        """The distance that is about where chance ends at these numbers of rows and features.

        It is what the asymptotic distribution gives for the first, strictest step of Holm's correction.
        """
        level = SIGNIFICANCE / len(self.features)
        return min(sqrt(log(2 / level) / 2 * (1 / len(self.reference) + 1 / len(self.current))), 1.0)


def compare_files(reference: Dataset, current: Dataset, min_effect: float) -> DriftComparison:
    """Compare the rows of two files.

    Parameters
    ----------
    reference, current
        Rows with the same features, 20 or more of each.
    min_effect
        The Kolmogorov-Smirnov distance up to which a change does not matter, in [0, 1).

    Raises
    ------
    BadData
        If a file has too few rows.
    """
    for data in (reference, current):
        if len(data) < FEWEST_ROWS:
            raise BadData(
                f"{data.path} has {len(data)} row{'' if len(data) == 1 else 's'}, too few to tell a change from "
                f"chance; give it {FEWEST_ROWS} or more."
            )
    # As the forest and the detectors see the rows: a file that was written in single precision has not changed.
    before, after = round_to_single(reference.rows), round_to_single(current.rows)
    tests = [ks_2samp(*columns) for columns in zip(before.T, after.T, strict=True)]
    corrected = correct_by_holm(np.array([test.pvalue for test in tests]))
    scaling = RobustScaling.of(before)
    medians = np.median(after, axis=0)
    shifts = (medians - scaling.centre) / scaling.spread
    changes = [
        FeatureChange(
            name,
            float(test.statistic),
            float(test.pvalue),
            float(corrected[place]),
            Stability.of(before[:, place], after[:, place]),
            (float(scaling.centre[place]), float(medians[place])),
            float(shifts[place]),
        )
        for place, (name, test) in enumerate(zip(reference.names, tests, strict=True))
    ]
    farthest_first = sorted(changes, key=lambda change: -change.distance)
    return DriftComparison(reference, current, tuple(farthest_first), compare_rows(before, after), min_effect)
