"""A histogram that takes many observations at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Histogram

# Counting with NumPy costs as much as about this many single observations.
_WORTH_A_VECTOR = 4


class VectorHistogram(Histogram):
    """``prometheus_client``'s histogram, without labels, and with one pass for any number of values.

    Examples
    --------
    >>> from prometheus_client import CollectorRegistry
    >>> registry = CollectorRegistry()
    >>> histogram = VectorHistogram("seconds", "Seconds.", buckets=(1, 2), registry=registry)
    >>> histogram.observe_many(np.array([0.5, 1.0, 1.5, 9.0, 9.5]))
    >>> registry.get_sample_value("seconds_bucket", {"le": "1.0"}), registry.get_sample_value("seconds_sum")
    (2.0, 21.5)
    """

    def observe_many(self, values: NDArray[np.float64]) -> None:
        """Observe values, shape ``(n_values,)``; the same as ``observe`` for each."""
        if len(values) < _WORTH_A_VECTOR:
            for value in values.tolist():
                self.observe(value)
            return
        # A bucket takes what is at most its bound: the first bound that is not below the value.
        bucket_of_each = np.searchsorted(self._upper_bounds, values, side="left")
        counts = np.bincount(bucket_of_each, minlength=len(self._buckets)).tolist()
        self._sum.inc(float(values.sum()))
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
