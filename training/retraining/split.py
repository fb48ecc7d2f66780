"""Split recorded rows into a train and a holdout set, and draw an unbiased sample of the train set.

A hash of the row's identity decides, so a row is in the same set each time it is read, labelled or not. If only
labelled rows were held out, outliers, which are labelled most often, would be missing from the training rows, and a
model that has to flag a share of these would flag too many rows in production.

The sample corrects for the bias of records: outliers are always recorded, inliers perhaps only with some probability.
A forest that learns to flag a share of its training rows must not learn that share from the records as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

# Two 64-bit numbers: one splits, the other draws.
_DIGEST_BYTES = 16

# A double holds so many bits exactly.
_DRAWN_BITS = 53


def split_rows(record_ids: Sequence[str], rows: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Split rows into a train and a holdout set of about equal size, and draw a number for each.

    Parameters
    ----------
    record_ids, rows
        Record id of each row, and its number in the record.

    Returns
    -------
    Whether each row is in the holdout set, shape ``(n_rows,)``, and a pseudo-random number in [0, 1) that is
    independent of the split, same shape.

    Examples
    --------
    >>> is_holdout, drawn = split_rows(["a request"] * 1000, range(1000))
    >>> round(float(is_holdout.mean()), 1), round(float(drawn.mean()), 1)
    (0.5, 0.5)
    """
    hashed = b"".join(
        blake2b(f"{record_id} {row}".encode(), digest_size=_DIGEST_BYTES).digest()
        for record_id, row in zip(record_ids, rows, strict=True)
    )
    numbers = np.frombuffer(hashed, "<u8").reshape(-1, 2)
    return numbers[:, 0] % 2 == 1, (numbers[:, 1] >> np.uint64(64 - _DRAWN_BITS)) / 2.0**_DRAWN_BITS


class EqualProbabilitySample:
    """A sample of a stream of rows, in which each answered row is included with the same probability.

    A row that was recorded with the inclusion probability s and drew the number u is in the sample while u * s is below
    a bound, which happens with the probability s * (bound / s): the bound. The bound is the lowest inclusion
    probability of all rows or, if that leaves more than ``limit`` rows, as much lower as necessary.

    Parameters
    ----------
    limit
        Maximum size of the sample, at least 1.

    Examples
    --------
    >>> sample = EqualProbabilitySample(limit=10)
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
        """Add a block of rows.

        Parameters
        ----------
        features
            Shape ``(n_rows, n_features)``.
        marks
            A flag to store with each, shape ``(n_rows,)``.
        shares
            The inclusion probability with which each was recorded, in (0, 1], same shape.
        drawn
            For each a random number in [0, 1), same shape.
        """
        if not len(features):
            return
        self.chance = min(self.chance, float(shares.min()))
        self._blocks.append((features, marks, drawn * shares))
        self._n_held += len(features)
        # Only when twice the limit is held, so that each row is copied about once.
        if self._n_held > 2 * self._limit:
            self._drop_rows()

    def take(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the sampled rows in the order in which they were added, and their marks."""
        self._drop_rows()
        if not self._blocks:
            return np.empty((0, 0), np.float32), np.empty(0, bool)
        [(features, marks, _)] = self._blocks
        return features, marks

    def _drop_rows(self) -> None:
        """Drop the rows that are not below the bound."""
        if not self._blocks:
            return
        features, marks, values = (np.concatenate(parts) for parts in zip(*self._blocks, strict=True))
        if len(below := values[values < self.chance]) > self._limit:
            self.chance = float(np.partition(below, self._limit)[self._limit])
        kept = values < self.chance
        self._blocks = [(features[kept], marks[kept], values[kept])]
        self._n_held = int(kept.sum())
