"""Numbers as the detectors compare them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def round_to_single(numbers: ArrayLike) -> NDArray[np.float64]:
    """Round to float32, as the forest does, and go on in float64.

    Many rows may share a value. A client that sends it in single precision, or a processor that rounds a score
    otherwise in its last bit, must not look as if all of them had moved.

    Examples
    --------
    >>> round_to_single(0.1) == round_to_single(np.float32(0.1))
    np.True_
    """
    return np.asarray(numbers, dtype=np.float32).astype(np.float64)
