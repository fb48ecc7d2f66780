"""The features of a model: ordered names, and the range of each in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A wider table is probably a wrong file (such as an identifier spread over columns). The forest would accept it, but
# pages, plots and metrics that name every feature would be unreadable.
MAX_FEATURES = 256

# scikit-learn compares float32 rows, so a larger number would silently become infinite.
LARGEST_NUMBER = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Features:
    """The features of a row.

    Parameters
    ----------
    names
        Feature names in the order of a row's numbers, 1 to 256 of them, all different.
    low, high
        Smallest and largest value of each feature in the training data, shape ``(n_features,)``.

    Examples
    --------
    >>> features = Features.of(("mean", "sd"), np.array([[0.5, 0.2], [-0.1, 0.9]]))
    >>> features.low, features.high
    ((-0.1, 0.2), (0.5, 0.9))
    >>> len(features)
    2
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, names: tuple[str, ...], rows: NDArray[np.floating]) -> Features:
        """Return the features of training ``rows``, shape ``(n_rows, n_features)``, with their ranges."""
        return cls(names, tuple(rows.min(axis=0).tolist()), tuple(rows.max(axis=0).tolist()))

    def __len__(self) -> int:
        return len(self.names)
