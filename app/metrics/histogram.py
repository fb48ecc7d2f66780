"""A histogram that observes many values at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Histogram

# Below about this many values, single observations are faster than counting with NumPy.
_MIN_VECTOR_LENGTH = 4


class VectorHistogram(Histogram):
    """``prometheus_client``'s histogram, which also observes any number of values in one pass.

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
        """Observe values, shape ``(n_values,)``; the same as ``observe`` for each.

        If the histogram has labels, call this on a child: ``histogram.labels(...).observe_many(values)``.
        """
        if len(values) < _MIN_VECTOR_LENGTH:
            for value in values.tolist():
                self.observe(value)
            return
        # A value belongs to the first bucket whose bound is not below it.
        bucket_of_each = np.searchsorted(self._upper_bounds, values, side="left")
        counts = np.bincount(bucket_of_each, minlength=len(self._buckets)).tolist()
        self._sum.inc(float(values.sum()))
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
