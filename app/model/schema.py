"""The features of a model, and the input columns that they are made of, as training saw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A wider table is probably a wrong file (such as an identifier spread over columns). The forest would accept it, but
# pages, plots and metrics that name every feature would be unreadable.
MAX_FEATURES = 256

# scikit-learn compares float32 rows, so a larger number would silently become infinite.
LARGEST_NUMBER = float(np.finfo(np.float32).max)

# Of a column of numbers, training stores these quantiles: finer at both ends, where unusual values are.
QUANTILE_LEVELS = (0.0, 0.001, 0.01, 0.05, *(step / 10 for step in range(1, 10)), 0.95, 0.99, 0.999, 1.0)

# The kinds of an input column.
NUMBER, CATEGORY, BOOLEAN = "number", "category", "boolean"

# The step of the encoding that passes columns on as they are.
IDENTITY = "identity"


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


def describe_columns(names: tuple[str, ...], rows: NDArray[np.floating]) -> dict[str, Any]:
    """Describe input columns of numbers, and their encoding, for the manifest.

    Parameters
    ----------
    names
        The columns, in the order of the rows' numbers.
    rows
        Training rows, shape ``(n_rows, n_columns)``; a missing value is NaN.

    Returns
    -------
    Strict JSON values under ``columns``, ``quantile_levels`` and ``encoding``.

    Examples
    --------
    >>> described = describe_columns(("mean",), np.array([[0.5], [np.nan], [1.5], [2.5]]))
    >>> described["columns"][0]["share_missing"], described["columns"][0]["range"]
    (0.25, {'min': 0.5, 'max': 2.5})
    >>> described["encoding"]
    [{'step': 'identity', 'columns': ['mean']}]
    """
    columns = []
    for name, values in zip(names, rows.T, strict=True):
        present = values[~np.isnan(values)]
        columns.append(
            {
                "name": name,
                "kind": NUMBER,
                "share_missing": 1 - len(present) / len(values),
                "range": {"min": float(present.min()), "max": float(present.max())} if present.size else None,
                "quantiles": _find_quantiles(present) if present.size else None,
            }
        )
    return {
        "columns": columns,
        "quantile_levels": list(QUANTILE_LEVELS),
        "encoding": [{"step": IDENTITY, "columns": list(names)}],
    }


def _find_quantiles(values: NDArray[np.floating]) -> list[float]:
    """Return values of training rows at the levels; the difference of two extreme ones may not be a float."""
    quantiles: list[float] = np.quantile(values, QUANTILE_LEVELS, method="inverted_cdf").tolist()
    return quantiles
