"""Dealing recorded rows: one half shapes the next model, the other one judges it.

What decides is a hash of what names a row, so a row is in the same half each time it is read, and whether it has been
labelled has no say. That matters: if labelled rows alone were kept from training, outliers, which are labelled most,
would be missing among the training rows, and a model that has to flag a share of these would flag too many of all.

A sample of recorded rows in which each row that was answered is with the same chance, however it was recorded.

Records are biased: outliers are always kept, inliers perhaps with a share only. A forest that is told to flag a share
of its training rows must not learn that share from records as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

# Two numbers of 64 bits: one deals, one draws.
_DIGEST_BYTES = 16

# What a double holds exactly.
_DRAWN_BITS = 53


def deal(record_ids: Sequence[str], rows: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Deal rows into halves, and draw a number for each.

    Parameters
    ----------
    record_ids, rows
        What names each row.

    Returns
    -------
    Whether each row judges, shape ``(n_rows,)``, and a number in [0, 1) that is as good as random and has nothing to do
    with the half, same shape.

    Examples
    --------
    >>> judges, drawn = deal(["a request"] * 1000, range(1000))
    >>> round(float(judges.mean()), 1), round(float(drawn.mean()), 1)
    (0.5, 0.5)
    """
    hashed = b"".join(
        blake2b(f"{record_id} {row}".encode(), digest_size=_DIGEST_BYTES).digest()
        for record_id, row in zip(record_ids, rows, strict=True)
    )
    numbers = np.frombuffer(hashed, "<u8").reshape(-1, 2)
    return numbers[:, 0] % 2 == 1, (numbers[:, 1] >> np.uint64(64 - _DRAWN_BITS)) / 2.0**_DRAWN_BITS


class EqualChanceSample:
    """Rows that are seen once, one block after the other, of which a number that fits into memory is kept.

    A row that was recorded with the share s and drew the number u stays while u * s is below a bound: it is there with
    the chance s * (bound / s), which is the bound. The bound is the least share of all rows or, if that leaves more
    than ``limit`` rows, as much lower as it takes.

    Parameters
    ----------
    limit
        The most rows to keep, at least 1.

    Examples
    --------
    >>> sample = EqualChanceSample(limit=10)
    >>> shares, drawn = np.array([1, 1, 0.1]), np.array([0.05, 0.5, 0.9])
    >>> sample.add(np.array([[1.0], [2.0], [3.0]]), np.zeros(3, bool), shares, drawn)
    >>> sample.take()[0], sample.chance
    (array([[1.], [3.]]), 0.1)
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: list[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]] = []
        self._n_held = 0
        self.chance = 1.0

    def add(
        self,
        features: NDArray[np.float32],
        marks: NDArray[np.bool_],
        shares: NDArray[np.float64],
        drawn: NDArray[np.float64],
    ) -> None:
        """Look at rows.

        Parameters
        ----------
        features
            Shape ``(n_rows, n_features)``.
        marks
            Something to remember of each, shape ``(n_rows,)``.
        shares
            The probability with which each was recorded, in (0, 1], same shape.
        drawn
            For each a random number in [0, 1), same shape.
        """
        if not len(features):
            return
        self.chance = min(self.chance, float(shares.min()))
        self._blocks.append((features, marks, drawn * shares))
        self._n_held += len(features)
        # Tidied up only when twice the limit is held, so that each row is moved about once.
        if self._n_held > 2 * self._limit:
            self._tidy()

    def take(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give the kept rows in the order in which they came, and their marks."""
        self._tidy()
        if not self._blocks:
            return np.empty((0, 0), np.float32), np.empty(0, bool)
        [(features, marks, _)] = self._blocks
        return features, marks

    def _tidy(self) -> None:
        """Keep what is below the bound."""
        if not self._blocks:
            return
        features, marks, values = (np.concatenate(parts) for parts in zip(*self._blocks, strict=True))
        if len(below := values[values < self.chance]) > self._limit:
            self.chance = float(np.partition(below, self._limit)[self._limit])
        kept = values < self.chance
        self._blocks = [(features[kept], marks[kept], values[kept])]
        self._n_held = int(kept.sum())
