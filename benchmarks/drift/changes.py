"""Simulated drift: changes that make live rows differ from the training rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Rows that the slow change takes to reach the shift of the sudden ones.
SLOW_ROWS = 5000

# Large for the real sample, whose quartiles are 0.02 and 0.0005 apart; the same as in an earlier trial, for comparison.
_SHIFT = 0.3

_FAR_SHARE = 0.05

# Beyond all but the most extreme training rows.
_FAR = 50.0

Rows = NDArray[np.float64]

# Applied to rows; the number says how many rows after the change the first of them is.
Change = Callable[[Rows, int, np.random.Generator], Rows]


def _shift_all(rows: Rows, first: int, generator: np.random.Generator) -> Rows:
    """Shift both features."""
    return rows + _SHIFT


def _stretch(rows: Rows, first: int, generator: np.random.Generator) -> Rows:
    """Stretch both features."""
    return rows * 1.5


def _shift_one(rows: Rows, first: int, generator: np.random.Generator) -> Rows:
    """Shift the first feature."""
    return np.column_stack([rows[:, 0] + _SHIFT, rows[:, 1:]])


def _throw_far(rows: Rows, first: int, generator: np.random.Generator) -> Rows:
    """Move some rows far away."""
    is_far = generator.random(len(rows)) < _FAR_SHARE
    return np.where(is_far[:, None], rows + _FAR, rows)


def _shift_slowly(rows: Rows, first: int, generator: np.random.Generator) -> Rows:
    """Shift both features gradually."""
    part = ((first + np.arange(len(rows))) / SLOW_ROWS).clip(0, 1)
    return rows + _SHIFT * part[:, None]


CHANGES: dict[str, Change] = {
    "+0.3 on both features": _shift_all,
    "both features times 1.5": _stretch,
    "+0.3 on the first feature": _shift_one,
    "5 % of the rows +50 on both": _throw_far,
    f"+0.3 on both, gradually over {SLOW_ROWS:,} rows": _shift_slowly,
}
