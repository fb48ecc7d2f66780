"""Isowatch on Spark: ``score`` adds labels and scores to a DataFrame, ``sample`` draws rows to train on; docs/spark.md.

``python -m training pack`` writes the zip file that clusters need. Nothing here imports PySpark unless it is used, so
:class:`spark.batches.BatchScorer` also works in Dask, Ray and Polars.
"""

from __future__ import annotations

from spark.sampling import sample
from spark.scoring import score

__all__ = ["score", "sample"]
