"""The feature values of recorded rows, by name."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import numpy as np
from sqlalchemy import Connection, select

from app.records.tables import MODEL_VERSIONS

# As app.records.tables says of the column, whatever the machine.
_FLOAT32 = np.dtype("<f4")


def read_feature_names(connection: Connection, versions: Collection[str]) -> dict[str, list[str]]:
    """Map model versions to the names of their features; those that are not known are left out."""
    asked = select(MODEL_VERSIONS.c.version, MODEL_VERSIONS.c.feature_names)
    return {
        version: json.loads(names)
        for version, names in connection.execute(asked.where(MODEL_VERSIONS.c.version.in_(versions)))
    }


def name_features(features: bytes | None, names: Sequence[str] | None) -> dict[str, float] | None:
    """Give the recorded values by name, or by place where the names are not known; None if none were recorded.

    Examples
    --------
    >>> name_features(np.array([0.56, 2], "<f4").tobytes(), ["mean", "sd"])
    {'mean': 0.56, 'sd': 2.0}
    >>> name_features(np.array([0.56, 2], "<f4").tobytes(), None)
    {'0': 0.56, '1': 2.0}
    """
    if features is None:
        return None
    values = np.frombuffer(features, _FLOAT32)
    # With as few digits as a float32 needs: whoever sent 0.56 sees 0.56.
    numbers = [float(str(value)) for value in values]
    known = names if names is not None and len(names) == len(numbers) else [str(place) for place in range(len(numbers))]
    return dict(zip(known, numbers, strict=True))
