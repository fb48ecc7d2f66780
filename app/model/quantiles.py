"""Where a value lies in the training rows: the quantiles of a column, from the manifest."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Below this share on its own side, a value is not called high or low: every tenth row is as extreme.
_MIN_SHARE = 0.9

# The distance of a value from a missing one is this much more than from the median: to supply a value is a change of
# its own.
FROM_MISSING = 1.0


@dataclass(frozen=True)
class ColumnQuantiles:
    """The distribution of a column of numbers in training.

    Parameters
    ----------
    name
        The column.
    share_missing
        Share of training rows without a value, in [0, 1].
    levels, values
        Quantiles: ``values[i]`` is the smallest value of training rows that at least the share ``levels[i]`` does not
        exceed; both ascending, shape ``(n_levels,)``. Empty if all values were missing.

    Examples
    --------
    >>> sd = ColumnQuantiles("sd", 0.0, np.array([0, 0.5, 0.99, 1]), np.array([0.0, 1.0, 4.0, 8.0]))
    >>> sd.describe(39.2), sd.describe(5.0), sd.describe(2.0)
    ('sd = 39.2 is higher than all training rows', 'sd = 5 is higher than 99 % of training rows', \
'sd = 2 is not extreme by itself, but rare: alone or together with other columns')
    >>> sd.position(1.0), sd.position(16.0)
    (0.5, 2.0)
    """

    name: str
    share_missing: float
    levels: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, column: dict[str, Any], levels: list[float]) -> ColumnQuantiles:
        """Return the quantiles of a column of the manifest, checked."""
        values = column["quantiles"]
        return cls(
            column["name"],
            float(column["share_missing"]),
            np.array(levels if values else [], np.float64),
            np.array(values or [], np.float64),
        )

    @property
    def median(self) -> float:
        """The median of the training rows; 0 if all were missing."""
        return float(np.interp(0.5, self.levels, self.values)) if self.values.size else 0.0

    def positions(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the share of training rows up to each value, interpolated between the quantiles.

        Beyond the training range, the distance to its edge is added, in widths of the range: 1.5 is half a width above.

        Parameters
        ----------
        values
            Shape ``(n,)``, no NaN.
        """
        values = np.asarray(values, np.float64)
        if not self.values.size:
            return np.zeros(len(values))
        low, high = self.values[0], self.values[-1]
        # Halves, as the width of the largest range is not a float. A constant column has no width: use the unit.
        width = 2 * (high / 2 - low / 2) or 1.0
        inside = np.interp(values, self.values, self.levels)
        beyond: NDArray[np.float64] = np.maximum(values - high, 0) / width - np.maximum(low - values, 0) / width
        positions: NDArray[np.float64] = inside + beyond
        return positions

    def position(self, value: float) -> float:
        """Return the share of training rows up to one value, as :meth:`positions`, in a fraction of its time."""
        levels, values = self._lists
        if not values:
            return 0.0
        above = bisect_right(values, value)
        if 0 < above < len(values):
            share = (value - values[above - 1]) / (values[above] - values[above - 1])
            return levels[above - 1] + share * (levels[above] - levels[above - 1])
        width = 2 * (values[-1] / 2 - values[0] / 2) or 1.0
        return 1 + (value - values[-1]) / width if above else (value - values[0]) / width

    @cached_property
    def _lists(self) -> tuple[list[float], list[float]]:
        """Levels and values as lists, which are read faster one by one."""
        return self.levels.tolist(), self.values.tolist()

    def describe(self, value: float) -> str:
        """Return in words where a value lies; shares are what the quantiles prove, so never too large."""
        if np.isnan(value):
            others = f"as in {_percent(self.share_missing)}" if self.share_missing else "as in none"
            return f"{self.name} is missing, {others} of the training rows"
        named = f"{self.name} = {value:.6g}"
        if not self.values.size:
            return f"{named} is present, unlike in all training rows"
        # As the forest sees numbers: a training value that was shortened to float32 is not beyond all training rows.
        single, values = np.float32(value), self.values.astype(np.float32)
        if single > values[-1]:
            return f"{named} is higher than all training rows"
        if single < values[0]:
            return f"{named} is lower than all training rows"
        # At least this share of rows is smaller, or larger.
        smaller = float(self.levels[values < single].max(initial=0.0))
        larger = 1 - float(self.levels[values > single].min(initial=1.0))
        for share, word in ((smaller, "higher"), (larger, "lower")):
            if share >= _MIN_SHARE - 1e-9:  # 1 - 0.1 is a little less than 0.9
                return f"{named} is {word} than {_percent(share)} of training rows"
        return f"{named} is not extreme by itself, but rare: alone or together with other columns"


@dataclass(frozen=True)
class ColumnLevels:
    """The distribution of a category or boolean in training.

    Parameters
    ----------
    name
        The column.
    share_missing
        Share of training rows without a value, in [0, 1].
    levels, counts
        The levels, and the number of training rows with each.

    Examples
    --------
    >>> country = ColumnLevels("country", 0.0, ("DE", "FR"), (98, 2))
    >>> country.describe(1), country.describe(-1)
    ('country = FR, as in 2 % of the training rows', 'country has a level that no training row has')
    """

    name: str
    share_missing: float
    levels: tuple[str | bool, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, column: dict[str, Any]) -> ColumnLevels:
        """Return the levels of a column of the manifest, checked."""
        levels, counts = (tuple(level[key] for level in column["levels"]) for key in ("level", "count"))
        return cls(column["name"], float(column["share_missing"]), levels, counts)

    def level(self, value: float) -> str | bool:
        """Return the level with a number, or in words that there is none."""
        return self.levels[int(value)] if 0 <= value < len(self.levels) else "new level"

    def describe(self, value: float) -> str:
        """Return in words how frequent a level is in the training rows."""
        if np.isnan(value):
            others = f"as in {_percent(self.share_missing)}" if self.share_missing else "as in none"
            return f"{self.name} is missing, {others} of the training rows"
        if not 0 <= value < len(self.levels):
            return f"{self.name} has a level that no training row has"
        level = self.levels[int(value)]
        shown = str(level).lower() if type(level) is bool else level
        share = self.counts[int(value)] / max(1, sum(self.counts)) * (1 - self.share_missing)
        return f"{self.name} = {shown}, as in {_percent(share)} of the training rows"


def _percent(share: float) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> _percent(0.999), _percent(0.9), _percent(0.00012)
    ('99.9 %', '90 %', '0.012 %')
    """
    return f"{100 * share:.3g} %"
