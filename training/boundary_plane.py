"""The forest's decision function over two features: what the plots of the boundary show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.model.forest import Forest
from training.axis_scale import AxisScale

# Points along each axis. A plot is about 600 pixels wide: finer cannot be seen, and is paid for with its square.
_GRID_POINTS = 300

# Rows that fall on one spot of this many along each axis are one dot: a dot is wider than that.
_SPOTS = 500


@dataclass(frozen=True)
class BoundaryPlane:
    """Scores on a plane through the space of all features.

    Parameters
    ----------
    shown
        Numbers of the two features that are drawn: across, up.
    names
        Names of all features.
    medians
        Training medians, shape ``(n_features,)``: where the features that are not drawn stand.
    scales
        Scales of the two features.
    scores
        Shape ``(n_up, n_across)``, in [-1, 0]: the lower, the more abnormal.
    """

    shown: tuple[int, int]
    names: tuple[str, ...]
    medians: NDArray[np.float64]
    scales: tuple[AxisScale, AxisScale]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, forest: Forest, rows: NDArray[np.float64], names: tuple[str, ...]) -> BoundaryPlane:
        """Lay the plane through the two features that the forest splits the most, and score it.

        Parameters
        ----------
        forest
            A forest of at least two features.
        rows
            Training rows, shape ``(n_rows, n_features)``: the plane spans their range.
        names
            Feature names.

        Raises
        ------
        ValueError
            If there is only one feature.
        """
        if len(names) < 2:
            raise ValueError("A plane needs two features; this forest has one.")
        across, up = _two_most_split(forest)
        medians = np.median(rows, axis=0)
        scales = AxisScale.of(rows[:, across]), AxisScale.of(rows[:, up])
        grid = np.tile(medians, (_GRID_POINTS**2, 1))
        # Up is the slow direction, as in an image.
        grid[:, up] = np.repeat(scales[1].grid(_GRID_POINTS), _GRID_POINTS)
        grid[:, across] = np.tile(scales[0].grid(_GRID_POINTS), _GRID_POINTS)
        scores = forest.score(grid).reshape(_GRID_POINTS, _GRID_POINTS)
        return cls((across, up), names, medians, scales, scores)

    @property
    def grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values of the two features at which the scores are known: across, up."""
        return self.scales[0].grid(_GRID_POINTS), self.scales[1].grid(_GRID_POINTS)

    def shown_names(self) -> tuple[str, str]:
        """Name the two features that are drawn."""
        return self.names[self.shown[0]], self.names[self.shown[1]]

    def place(self, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Give a dot for each spot on which rows lie; no spot is left out, so extremes stay.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_features)``; what lies beyond the plane's range is put on its edge.

        Returns
        -------
        The dots, shape ``(n_dots, 2)``, and the number of rows on each.
        """
        within = np.column_stack(
            [
                np.clip(rows[:, feature], scale.low, scale.high)
                for feature, scale in zip(self.shown, self.scales, strict=True)
            ]
        )
        spots = np.zeros(len(rows), dtype=np.int64)
        for values, scale in zip(within.T, self.scales, strict=True):
            start, end = scale.forward([scale.low, scale.high])
            spots = spots * (_SPOTS + 1) + ((scale.forward(values) - start) / (end - start) * _SPOTS).astype(np.int64)
        _, first, counts = np.unique(spots, return_index=True, return_counts=True)
        return within[first], counts


def _two_most_split(forest: Forest) -> tuple[int, int]:
    """Find the two features that the most inner nodes test, in the order of the columns."""
    arrays = forest.arrays
    splits = np.bincount(arrays.feature[~arrays.is_leaf()], minlength=forest.n_features)
    # A stable sort: of features that are split equally often, the first columns are drawn.
    across, up = sorted(np.argsort(-splits, kind="stable")[:2].tolist())
    return across, up
