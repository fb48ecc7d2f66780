"""Explains the score of a row: what each column contributes, in numbers and words, and what would change the label.

docs/explanations.md has the formulas and a worked example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import CannotExplain
from app.model.column_changes import ColumnChanges
from app.model.counterfactual import Change, Counterfactuals
from app.model.encoding import Encoding
from app.model.explain_kernels import fastest_kernel
from app.model.explain_trees import ExplainTrees
from app.model.forest import Forest
from app.model.out_of_bag import OutOfBagScores
from app.model.quantiles import ColumnLevels, ColumnQuantiles
from app.model.schema import NUMBER

# More than three reasons are not read; the contributions have them all.
_MAX_REASONS = 3

# What rounding leaves of a contribution of 0.
_NO_CONTRIBUTION = 1e-9


@dataclass(frozen=True)
class Explanation:
    """Why a row has its score.

    Parameters
    ----------
    contributions
        What each column adds to ``log2(-score)``: positive is more abnormal. With ``baseline``, they add up to it.
    baseline
        ``log2(-score)`` for the mean path length of the training rows.
    reasons
        At most three columns with a positive contribution, in words, the largest first.
    counterfactual
        The smallest change that makes the row an inlier: by column, ``from`` (None if missing) and ``to``. None if
        there is none, if none was found, or if the row is an inlier.
    is_approximate
        Whether the counterfactual was searched and not computed: it then changes two columns, and a smaller change may
        exist.
    p_value
        Share of ordinary rows that are at least as abnormal, in (0, 1]; None if unknown.
    notes
        The reason of each field that is None.
    """

    contributions: dict[str, float]
    baseline: float
    reasons: list[str]
    counterfactual: dict[str, dict[str, Any]] | None
    is_approximate: bool
    p_value: float | None
    notes: dict[str, str] = field(default_factory=dict)

    def as_fields(self) -> dict[str, Any]:
        """Return the fields of an answer or a record that explain a row."""
        notes = (
            {"counterfactual": "approximate: a smaller change of two columns may exist"} if self.is_approximate else {}
        )
        return {
            "contributions": self.contributions,
            "baseline": self.baseline,
            "reasons": self.reasons,
            "counterfactual": self.counterfactual,
            "p_value": self.p_value,
            "notes": self.notes | notes,
        }


class Explainer:
    """Explains the scores of one model.

    Parameters
    ----------
    forest
        The compiled trees.
    manifest
        The manifest of its bundle, of format 2.
    out_of_bag
        The out-of-bag scores of the training rows; None if there are too few.

    Attributes
    ----------
    baseline
        ``log2(-score)`` for the mean path length of the training rows.
    columns
        The training quantiles or levels of each column.

    Raises
    ------
    CannotExplain
        If the bundle is of format 1.
    """

    def __init__(self, forest: Forest, manifest: dict[str, Any], out_of_bag: OutOfBagScores | None) -> None:
        arrays = forest.arrays
        if arrays.weighted_n_node_samples is None:
            raise CannotExplain(
                f"Model {manifest['version']} cannot explain its scores, as its bundle has format 1: train or import "
                "again."
            )
        trees = ExplainTrees.of(arrays)
        self._kernel = fastest_kernel(trees)
        self._forest = forest
        self._scale = float(arrays.path_length_scale)
        self._names = tuple(column["name"] for column in manifest["columns"])
        levels = manifest["quantile_levels"]
        columns: list[ColumnQuantiles | ColumnLevels] = [
            ColumnQuantiles.of(column, levels) if column["kind"] == NUMBER else ColumnLevels.of(column)
            for column in manifest["columns"]
        ]
        self.columns = columns
        self._encoding = forest.encoding
        numbers = [column for column in columns if isinstance(column, ColumnQuantiles)]
        # A change of one encoded feature alone is no change of a column.
        self.counterfactuals: Counterfactuals | ColumnChanges = (
            Counterfactuals(forest, self._kernel, trees.slots, numbers)
            if self._encoding is None and len(numbers) == len(columns)
            else ColumnChanges(forest, self._encoding or Encoding(manifest), self._kernel, trees.slots, columns)
        )
        self._out_of_bag = out_of_bag
        # Trees that were grown from single rows give every row the score -0.5.
        self.baseline = -float(trees.expected[arrays.roots].sum()) / self._scale if self._scale else -1.0

    def contributions(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Compute what each column adds to ``log2(-score)``: its Shapley value.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_columns)``; a missing value is NaN.

        Returns
        -------
        Shape ``(n_rows, n_columns)``: positive is more abnormal. The sum over a row and ``baseline`` is
        ``log2(-score)``, up to rounding.
        """
        if not self._scale:
            return np.zeros(rows.shape)
        values = self._kernel.shapley_values(np.ascontiguousarray(self._forest.to_features(rows))) / -self._scale
        return values if self._encoding is None else self._encoding.sum_by_column(values)

    def explain(self, row: Sequence[float], score: float) -> Explanation:
        """Explain one row.

        Parameters
        ----------
        row
            One number per column, within float32; a missing value is NaN.
        score
            The row's anomaly score.
        """
        # The forest rounds, after the encoding if there is one.
        given = np.array(row, np.float64)
        values = self.contributions(given[None])[0].tolist()
        notes: dict[str, str] = {}
        counterfactual, is_approximate = self._find_counterfactual(row, given, notes)
        return Explanation(
            contributions=dict(zip(self._names, values, strict=True)),
            baseline=self.baseline,
            reasons=self._find_reasons(row, values),
            counterfactual=counterfactual,
            is_approximate=is_approximate,
            p_value=self._note_p_value(score, notes),
            notes=notes,
        )

    def _note_p_value(self, score: float, notes: dict[str, str]) -> float | None:
        """Return the p-value; the reason for None goes into ``notes``."""
        p_value = self.p_value(score)
        if p_value is None:
            notes["p_value"] = (
                "fewer than 200 training rows have an out-of-bag score: every tree saw almost all rows, or an imported "
                "forest came without its training rows"
            )
        return p_value

    def _find_reasons(self, row: Sequence[float], values: list[float]) -> list[str]:
        """Describe the columns that make the row most abnormal."""
        order = sorted(range(len(values)), key=lambda column: -values[column])
        return [
            self.columns[column].describe(row[column])
            for column in order[:_MAX_REASONS]
            if values[column] > _NO_CONTRIBUTION
        ]

    def _find_counterfactual(
        self, row: Sequence[float], given: NDArray[np.float64], notes: dict[str, str]
    ) -> tuple[dict[str, dict[str, Any]] | None, bool]:
        """Find the smallest change, and whether it is approximate; the reason for None goes into ``notes``."""
        if self._forest.sum_path_lengths(given[None])[0] >= self._forest.threshold.path_length_sum:
            notes["counterfactual"] = "the row is an inlier already"
            return None, False
        change = self.counterfactuals.change_one(given)
        if change is not None:
            return self._name(row, change), False
        change = self.counterfactuals.change_two(given)
        if change is not None:
            return self._name(row, change), True
        notes["counterfactual"] = "no change of one column makes the row an inlier, and the search found none of two"
        if isinstance(self.counterfactuals, ColumnChanges) and (others := self.counterfactuals.left_out):
            notes["counterfactual"] += f"; not searched: {', '.join(others)}"
        return None, False

    def _name(self, row: Sequence[float], change: Change) -> dict[str, dict[str, Any]]:
        """Return a change by names of columns."""
        return {
            self._names[column]: {
                "from": self._show(column, row[column]),
                # The shortest text of the float32: it is rounded to the same number again.
                "to": self._show(column, float(str(np.float32(value)))),
            }
            for column, value in sorted(change.values.items())
        }

    def _show(self, column: int, value: float) -> Any:
        """Return a number, or the level that it stands for; None if it is missing."""
        if np.isnan(value):
            return None
        described = self.columns[column]
        return float(value) if isinstance(described, ColumnQuantiles) else described.level(value)

    def p_value(self, score: float) -> float | None:
        """Return the share of ordinary rows at least as abnormal as a score; None without out-of-bag scores."""
        return None if self._out_of_bag is None else float(self._out_of_bag.p_values(np.array([score]))[0])


def shorten(row: NDArray[np.floating]) -> list[float]:
    """Write numbers with as few digits as a float32 needs: a caller that sent 0.56 sees 0.56.

    Examples
    --------
    >>> np.array([0.56, 2], np.float32).tolist(), shorten(np.array([0.56, 2], np.float32))
    ([0.5600000023841858, 2.0], [0.56, 2.0])
    """
    return [float(str(number)) for number in row]
