"""A uniform random sample of the rows of a time span, no larger than the detectors can process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.model.scoring import ScoredRows

# Selecting only now and then keeps the cost per row small; the memory stays bounded.
_SELECT_AT = 4


@dataclass(frozen=True)
class _Part:
    """Some rows, each with the random key that decides whether it stays."""

    keys: NDArray[np.float64]
    scored: ScoredRows

    def only(self, chosen: NDArray[np.bool_]) -> _Part:
        """Return the chosen rows, in their order."""
        scored = self.scored
        return _Part(
            self.keys[chosen],
            ScoredRows(scored.rows[chosen], scored.scores[chosen], scored.labels[chosen], scored.confidences[chosen]),
        )


class RowSample:
    """Takes any number of rows and returns a uniform random sample of them, in the order of their arrival.

    Every row draws a random key; the rows with the smallest keys stay.

    Parameters
    ----------
    max_rows
        Size of the sample, at least 1.
    seed
        Of the keys; None for different ones each time.

    Examples
    --------
    >>> sample = RowSample(max_rows=2, seed=0)
    >>> for _ in range(3):
    ...     sample.add(ScoredRows(np.zeros((5, 2), np.float32), np.zeros(5), np.ones(5, int), np.ones(5)))
    >>> len(sample.take().rows), sample.take()
    (2, None)
    """

    def __init__(self, max_rows: int, seed: int | None = None) -> None:
        self._max_rows, self._random = max_rows, np.random.default_rng(seed)
        self._reset()

    def add(self, scored: ScoredRows) -> None:
        """Take rows of one model."""
        part = _Part(self._random.random(len(scored.scores)), scored)
        if self._limit < 1:
            if not (chosen := part.keys < self._limit).any():
                return
            part = part.only(chosen)
        self._parts.append(part)
        self._n_rows += len(part.keys)
        if self._n_rows > _SELECT_AT * self._max_rows:
            self._select()

    def take(self) -> ScoredRows | None:
        """Return the sample and start another; None if there was no row."""
        if not self._parts:
            return None
        self._select()
        [part] = self._parts
        self._reset()
        return part.scored

    def _reset(self) -> None:
        """Start an empty sample."""
        self._parts: list[_Part] = []
        self._n_rows = 0
        # A key that is not below it cannot be among the smallest.
        self._limit = 1.0

    def _select(self) -> None:
        """Reduce all parts to one, of the rows with the smallest keys."""
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
        if len(whole.keys) > self._max_rows:
            # The keys have 53 random bits: two equal ones are as good as impossible.
            self._limit = float(np.partition(whole.keys, self._max_rows)[self._max_rows])
            whole = whole.only(whole.keys < self._limit)
        self._parts, self._n_rows = [whole], len(whole.keys)
