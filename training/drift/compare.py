"""Compare two files of rows: each feature separately, and all features together.

Both questions are answered with a common error rate: half of it for the features, corrected by Holm's method, and half
for whole rows. So one summary weighs both. The results are also given in sentences and as plain text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from app.drift.windows import round_to_single
from app.errors import count_of
from training.data.dataset import Dataset
from training.drift.column_change import SIGNIFICANCE, FeatureChange, compare_column
from training.drift.mmd_test import N_PERMUTATIONS, KernelComparison, compare_rows
from training.errors import BadData


def correct_by_holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct the p-values of several tests, so that the probability of any false positive stays below the level.

    This holds even if the tests depend on each other.

    Parameters
    ----------
    p_values
        Shape ``(n_tests,)``, each in [0, 1].

    Returns
    -------
    Shape ``(n_tests,)``, each in [0, 1] and at least as large as given.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> correct_by_holm(np.array([0.04, 0.01, 0.03]))
    array([0.06, 0.03, 0.06])
    """
    order = np.argsort(p_values, kind="stable")
    # The smallest is multiplied by the number of tests, the next by the number of the remaining tests, and so on.
    raised = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(raised, 1)
    return corrected


# Features and whole rows are two chances to find a change where there is none: each gets half of the level.
_N_QUESTIONS = 2

# With fewer, only a feature that left its whole range would be significant.
MIN_ROWS = 20


@dataclass(frozen=True)
class DriftComparison:
    """The result of comparing two files.

    Parameters
    ----------
    reference, current
        The compared files.
    features
        Results by feature, the largest distance first.
    whole_rows
        Result for all features together.
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
        """The features whose change is significant and large enough to matter, the largest distance first."""
        return tuple(each for each in self.features if each.is_significant and each.distance > self.min_effect)

    @property
    def corrected_p_of_whole_rows(self) -> float:
        """The p-value of whole rows, corrected for the features."""
        return min(_N_QUESTIONS * self.whole_rows.p_value, 1.0)

    @property
    def do_whole_rows_differ(self) -> bool:
        """Whether whole rows differ significantly, by however little."""
        return self.corrected_p_of_whole_rows < SIGNIFICANCE

    @property
    def smallest_visible_distance(self) -> float:
        """The smallest distance that is about significant with these numbers of rows and features.

        It follows from the asymptotic distribution for the first and strictest step of Holm's correction, for values
        without ties.
        """
        level = SIGNIFICANCE / _N_QUESTIONS / len(self.features)
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
        if len(data) < MIN_ROWS:
            raise BadData(
                f"{data.path} has {count_of(len(data), 'row')}, too few to distinguish a change "
                f"from chance; use at least {MIN_ROWS}."
            )
    # The forest and the detectors use single precision: a file that was rounded to it has not changed.
    before, after = round_to_single(reference.rows), round_to_single(current.rows)
    found = [
        compare_column(name, before[:, place], after[:, place], reference.levels.get(name))
        for place, name in enumerate(reference.names)
    ]
    corrected = np.minimum(_N_QUESTIONS * correct_by_holm(np.array([change.p_value for change in found])), 1)
    changes = [
        replace(change, corrected_p_value=float(p_value)) for change, p_value in zip(found, corrected, strict=True)
    ]
    farthest_first = sorted(changes, key=lambda change: -change.distance)
    whole_rows = compare_rows(_to_features(reference, before), _to_features(reference, after))
    return DriftComparison(reference, current, tuple(farthest_first), whole_rows, min_effect)


def _to_features(reference: Dataset, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a forest would be trained on: levels as features, missing values below all others."""
    if not reference.levels and not np.isnan(rows).any():
        return rows
    filled = replace(reference.features, can_be_missing=(True,) * len(reference.features)).fill_missing(rows)
    are_texts = np.array([isinstance(reference.levels.get(name, (0,))[0], str) for name in reference.names])
    # A missing level of a category is encoded as none of its levels.
    given = np.where(are_texts, rows, filled)
    return given if reference.encoding is None else reference.encoding.encode(given).astype(np.float64)


# More would fill a terminal; the table below lists all.
_MAX_NAMES = 5

_HEADER = ("feature", "KS distance", "p", "corrected p", "PSI", "PSI threshold", "shift", "changed")


def conclude(comparison: DriftComparison) -> list[str]:
    """Describe the result in sentences: one that weighs features and whole rows, then what it rests on."""
    sentences = [_summarize(comparison), _describe_whole_rows(comparison)]
    if (visible := comparison.smallest_visible_distance) > comparison.min_effect:
        sentences.append(
            f"At these numbers of rows a KS distance below about {visible:.2g} cannot be distinguished from "
            f"chance: compare more rows if a change of {comparison.min_effect:g} matters."
        )
    return sentences


def judge(change: FeatureChange, min_effect: float) -> str:
    """Return in a word whether a feature changed."""
    if not change.is_significant:
        return "no"
    return "yes" if change.distance > min_effect else "little"


def tabulate_comparison(comparison: DriftComparison) -> str:
    """Format one line per feature, the largest distance first, as aligned plain text."""
    lines = [_HEADER, *(_to_cells(change, comparison.min_effect) for change in comparison.features)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:-1]), verdict]).rstrip()
        for name, *numbers, verdict in lines
    )


def format_p_value(p_value: float) -> str:
    """Format a p-value such that a very small one is not shown as 0.

    Examples
    --------
    >>> format_p_value(0.01234), format_p_value(1.2e-20), format_p_value(0.0)
    ('0.012', '1.2e-20', '<1e-300')
    """
    return f"{p_value:.2g}" if p_value > 0 else "<1e-300"


def _summarize(comparison: DriftComparison) -> str:
    """Weigh features and whole rows in one sentence."""
    changed, least = comparison.changed, f"a KS distance of {comparison.min_effect:g}"
    do_differ, n_little = comparison.do_whole_rows_differ, sum(each.is_significant for each in comparison.features)
    if changed:
        named = ", ".join(f"{change.name} ({change.distance:.2g})" for change in changed[:_MAX_NAMES])
        others = f" and {len(changed) - _MAX_NAMES} more" if len(changed) > _MAX_NAMES else ""
        compared = count_of(len(comparison.features), "feature")
        whole = "" if do_differ else "; whole rows alone would not show it"
        return f"The rows changed: {len(changed)} of {compared} by more than {least}: {named}{others}{whole}."
    if n_little:
        whole = "and whole rows differ, too" if do_differ else "and whole rows show no difference"
        return f"The rows changed little: {count_of(n_little, 'feature')}, none by more than {least}, {whole}."
    if do_differ:
        return (
            "The rows changed, although no single feature did significantly: look at how features depend on each other "
            "and for small changes of several."
        )
    return "The rows show no significant change, neither in a feature nor as a whole."


def _describe_whole_rows(comparison: DriftComparison) -> str:
    """Return the figures of whole rows in words."""
    whole_rows = comparison.whole_rows
    return (
        f"Whole rows: MMD {whole_rows.effect:.2g} beyond chance, p = {whole_rows.p_value:.2g}, corrected "
        f"{comparison.corrected_p_of_whole_rows:.2g} ({N_PERMUTATIONS} permutations of {whole_rows.n_reference:,} and "
        f"{whole_rows.n_current:,} rows)."
    )


def _to_cells(change: FeatureChange, min_effect: float) -> tuple[str, ...]:
    """Format the cells of a line."""
    return (
        change.name,
        f"{change.distance:.3f}",
        format_p_value(change.p_value),
        format_p_value(change.corrected_p_value),
        f"{change.stability.index:.3g}",
        f"{change.stability.threshold:.3g}",
        "-" if np.isnan(change.shift) else f"{change.shift:+.2g}",
        judge(change, min_effect),
    )
