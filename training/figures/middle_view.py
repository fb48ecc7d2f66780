"""A closer view of heavy-tailed data: the middle 98 %, which a few far values press into a corner otherwise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALL_ROWS, MIDDLE = "All rows", "Middle 98 %"

_MIDDLE_QUANTILES = (0.01, 0.99)

# A closer view that shows nearly everything is no help: it is offered where it is at most this share as wide.
_WORTH_A_LOOK = 0.75

# Of the width, on both sides, so that points on the border are seen whole.
_PADDING = 0.03


def find_middle(*sets: NDArray[np.float64]) -> tuple[float, float] | None:
    """Find the range from the first to the last percentile of values.

    Parameters
    ----------
    sets
        Each of shape ``(n_rows,)``, finite; of several sets, the smallest first and the largest last percentile count.

    Returns
    -------
    Lowest and highest value of the closer view; None if all or nearly all of the range would be left, or nothing.

    Examples
    --------
    >>> find_middle(np.append(np.arange(1000.0), 50_000))
    (10.0, 990.0)
    >>> find_middle(np.arange(1000.0)) is None
    True
    """
    lows, highs = np.array([np.quantile(values, _MIDDLE_QUANTILES) for values in sets]).T
    low, high = float(lows.min()), float(highs.max())
    whole = max(float(values.max()) for values in sets) - min(float(values.min()) for values in sets)
    return (low, high) if 0 < high - low <= _WORTH_A_LOOK * whole else None


def pad_range(low: float, high: float) -> list[float]:
    """Widen a range a little, or to something that is no single point."""
    padding = _PADDING * (high - low) or max(abs(low) * _PADDING, _PADDING)
    return [low - padding, high + padding]
