"""A sample of the rows of a while: not more than the detectors can take, each row with the same chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.model.scoring import ScoredRows

# Sorting out only now and then makes the price of a row small; the memory stays bounded.
_SORTED_OUT_AT = 4


@dataclass(frozen=True)
class _Part:
    """Some rows, each with the number that decides whether it stays."""

    keys: NDArray[np.float64]
    scored: ScoredRows

    def only(self, chosen: NDArray[np.bool_]) -> _Part:
        """Keep the chosen rows, in their order."""
        scored = self.scored
        return _Part(
            self.keys[chosen],
            ScoredRows(scored.rows[chosen], scored.scores[chosen], scored.labels[chosen], scored.confidences[chosen]),
        )


class RowSample:
    """Takes any number of rows and gives at most so many of them, evenly at random, in the order of their coming.

    Every row draws a number; those with the smallest numbers stay.

    Parameters
    ----------
    most_rows
        How many rows are given at most, at least 1.
    seed
        Of the numbers; None for others each time.

    Examples
    --------
    >>> sample = RowSample(most_rows=2, seed=0)
    >>> for _ in range(3):
    ...     sample.add(ScoredRows(np.zeros((5, 2), np.float32), np.zeros(5), np.ones(5, int), np.ones(5)))
    >>> len(sample.take().rows), sample.take()
    (2, None)
    """

    def __init__(self, most_rows: int, seed: int | None = None) -> None:
        self._most_rows, self._random = most_rows, np.random.default_rng(seed)
        self._begin()

    def add(self, scored: ScoredRows) -> None:
        """Take rows of one model."""
        part = _Part(self._random.random(len(scored.scores)), scored)
        if self._limit < 1:
            if not (chosen := part.keys < self._limit).any():
                return
            part = part.only(chosen)
        self._parts.append(part)
        self._n_rows += len(part.keys)
        if self._n_rows > _SORTED_OUT_AT * self._most_rows:
            self._sort_out()

    def take(self) -> ScoredRows | None:
        """Give the sample and begin another; None if there was no row."""
        if not self._parts:
            return None
        self._sort_out()
        [part] = self._parts
        self._begin()
        return part.scored

    def _begin(self) -> None:
        """Have no row."""
        self._parts: list[_Part] = []
        self._n_rows = 0
        # A number that is not below it cannot be among the smallest.
        self._limit = 1.0

    def _sort_out(self) -> None:
        """Keep the rows with the smallest numbers, as one part."""
        parts = [part.scored for part in self._parts]
        whole = _Part(
            np.concatenate([part.keys for part in self._parts]),
            ScoredRows(
                np.concatenate([part.rows for part in parts]),
                np.concatenate([part.scores for part in parts]),
                np.concatenate([part.labels for part in parts]),
                np.concatenate([part.confidences for part in parts]),
            ),
        )
        if len(whole.keys) > self._most_rows:
            # The draws have 53 random bits: two equal ones are as good as impossible.
            self._limit = float(np.partition(whole.keys, self._most_rows)[self._most_rows])
            whole = whole.only(whole.keys < self._limit)
        self._parts, self._n_rows = [whole], len(whole.keys)
