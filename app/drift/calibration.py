"""The calibration of the drift detectors, from training: thresholds in ``drift.npz``, and the reference rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.drift.thresholds import Thresholds
from app.errors import InvalidBundle
from app.server.array_file import MAX_BYTES, ArrayKind, read_arrays
from app.server.regular_file import open_regular

# Maximum mean discrepancy over all features; Cramer-von Mises per feature, and of the anomaly score; the share of
# outliers.
MMD, CVM, SCORE, OUTLIER_RATE = "mmd", "cvm", "score", "outlier_rate"
DETECTORS = (MMD, CVM, SCORE, OUTLIER_RATE)

# Compares thousands of rows with training, and needs no thresholds from training: see app.drift.counts.
COUNTS = "counts"
ALL_DETECTORS = (*DETECTORS, COUNTS)

# The detectors that name a feature; False if they do so only sometimes.
NAMING_DETECTORS = {CVM: True, COUNTS: False}

# A window of one row has no pairs. Beyond the maximum, the integers of the rank distances would overflow.
MIN_WINDOW, MAX_WINDOW = 2, 1000

# Training keeps 2,000. Each live row is compared with all of them.
_MAX_REFERENCE_ROWS = 100_000

_REFERENCE_ARRAYS = {"rows": ArrayKind(np.float64, 2)}

_DRIFT_ARRAYS = {
    "reference_scores": ArrayKind(np.float64, 1),
    "training_outlier_share": ArrayKind(np.float64, 0),
    "bandwidth": ArrayKind(np.float64, 0),
    "distance_scales": ArrayKind(np.float64, 1),
    "expected_run_time": ArrayKind(np.int64, 0),
    "window": ArrayKind(np.int64, 0),
} | {
    f"{name}_{part}": kind
    for name in DETECTORS
    for part, kind in {
        "starts": ArrayKind(np.int64, 1),
        "lines": ArrayKind(np.float64, 1),
        "confirming": ArrayKind(np.float64, 1),
        "run_time": ArrayKind(np.float64, 0),
    }.items()
}

# Bundles of earlier releases lack them: the bins of all columns, one column after the other.
_BIN_ARRAYS = {
    "bin_edges": ArrayKind(np.float64, 1),
    "bin_counts": ArrayKind(np.int64, 1),
    "bins_by_column": ArrayKind(np.int64, 1),
}

# Absent in bundles of earlier releases, and where the forest's features are the columns.
_ENCODED_ARRAYS = {"mmd_encoded": ArrayKind(np.int64, 0)}

# The number of a bin fits into a byte. With a share of 0.4 % at least, there are 250 at most.
MAX_BINS = 256


@dataclass(frozen=True)
class ColumnBins:
    """Intervals of the values of a column, and how many training rows are in each.

    Parameters
    ----------
    edges
        Ascending; each is the smallest value of the bin above it. A value that many rows share has a bin of its own.
    counts
        Training rows in each bin, positive; one more than edges.

    Examples
    --------
    >>> bins = ColumnBins(np.array([2.0, np.nextafter(2.0, 3.0)]), np.array([30, 50, 20]))
    >>> bins.place(np.array([1.0, 2.0, 2.5]))
    array([0, 1, 2], dtype=uint8)
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]

    def place(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the number of the bin of each value, as many as values; values are rounded to float32."""
        return self.edges.searchsorted(values, side="right").astype(np.uint8)

    def are_bins(self) -> bool:
        """Return whether the values can be bins."""
        return (
            1 <= len(self.counts) <= MAX_BINS
            and len(self.edges) == len(self.counts) - 1
            and bool((np.diff(self.edges) > 0).all() and np.isfinite(self.edges).all())
            and bool((self.counts > 0).all() and (self.counts <= _MAX_TRAINING_ROWS).all())
        )


# More than any table; the sum of a column's bins is then far from the largest integer.
_MAX_TRAINING_ROWS = 2**40


@dataclass(frozen=True)
class Calibration:
    """Everything that the detectors need except live rows.

    Parameters
    ----------
    reference_rows
        Shape ``(n_reference, n_features)``.
    reference_scores
        The anomaly scores of these rows, shape ``(n_reference,)``.
    training_outlier_share
        Share of all training rows that the model flagged, in [0, 1].
    bandwidth
        The bandwidth of the similarity of scaled rows, positive.
    distance_scales
        The rank distance that one undrifted window in a thousand exceeds, of each feature and, last, of the score;
        shape ``(n_features + 1,)``, positive.
    expected_run_time
        The requested mean number of rows between signals.
    window
        Rows in a window, 2 to 1,000.
    thresholds
        The thresholds of each detector.
    bins
        All training rows, counted by bins: of each feature and, last, of the score. Empty in bundles of earlier
        releases.
    is_mmd_encoded
        Whether ``mmd`` compares the forest's features; else it compares columns, categories by the number of the level.
    """

    reference_rows: NDArray[np.float64]
    reference_scores: NDArray[np.float64]
    training_outlier_share: float
    bandwidth: float
    distance_scales: NDArray[np.float64]
    expected_run_time: int
    window: int
    thresholds: dict[str, Thresholds]
    bins: tuple[ColumnBins, ...] = ()
    is_mmd_encoded: bool = False

    def write(self, file: Path) -> None:
        """Write ``drift.npz``, which holds no reference rows; the same values give the same bytes."""
        arrays: dict[str, Any] = {
            "reference_scores": self.reference_scores,
            "training_outlier_share": np.float64(self.training_outlier_share),
            "bandwidth": np.float64(self.bandwidth),
            "distance_scales": self.distance_scales,
            "expected_run_time": np.int64(self.expected_run_time),
            "window": np.int64(self.window),
        }
        for name, thresholds in self.thresholds.items():
            arrays |= {
                f"{name}_starts": thresholds.starts,
                f"{name}_lines": thresholds.lines,
                f"{name}_confirming": thresholds.confirming,
                f"{name}_run_time": np.float64(thresholds.run_time),
            }
        if self.bins:
            arrays |= {
                "bin_edges": np.concatenate([column.edges for column in self.bins]),
                "bin_counts": np.concatenate([column.counts for column in self.bins]),
                "bins_by_column": np.array([len(column.counts) for column in self.bins]),
            }
        if self.is_mmd_encoded:
            arrays["mmd_encoded"] = np.int64(1)
        np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def read(cls, file: Path, reference_file: Path) -> Calibration:
        """Read the calibration and its reference rows.

        Parameters
        ----------
        file, reference_file
            ``drift.npz`` and ``reference.npz`` of a verified bundle.

        Raises
        ------
        InvalidBundle
            If the bundle was trained without drift detectors, or a file cannot be read.
        """
        if not file.exists():
            raise InvalidBundle(
                f"{file} does not exist, so drift is not monitored: to monitor it, train on 4,000 rows or more."
            )
        try:
            with open_regular(reference_file, MAX_BYTES) as opened:
                rows = read_arrays(opened, _REFERENCE_ARRAYS)["rows"]
            with open_regular(file, MAX_BYTES) as opened:
                arrays = read_arrays(opened, _DRIFT_ARRAYS, optional=_BIN_ARRAYS | _ENCODED_ARRAYS)
            calibration = cls(
                reference_rows=rows,
                reference_scores=arrays["reference_scores"],
                training_outlier_share=float(arrays["training_outlier_share"]),
                bandwidth=float(arrays["bandwidth"]),
                distance_scales=arrays["distance_scales"],
                expected_run_time=int(arrays["expected_run_time"]),
                window=int(arrays["window"]),
                thresholds={
                    name: Thresholds(
                        starts=arrays[f"{name}_starts"],
                        lines=arrays[f"{name}_lines"],
                        confirming=arrays[f"{name}_confirming"],
                        run_time=float(arrays[f"{name}_run_time"]),
                    )
                    for name in DETECTORS
                },
                bins=_split_bins(arrays),
                is_mmd_encoded="mmd_encoded" in arrays,
            )
        # What somebody else wrote can make a parser raise anything.
        except Exception as error:
            raise InvalidBundle(f"{file} cannot be read ({type(error).__name__}: {error}): train again.") from error
        calibration.check(file)
        return calibration

    def check(self, file: Path) -> None:
        """Check that the values fit together.

        Raises
        ------
        InvalidBundle
            If they do not; the message names the file.
        """
        n_rows, n_features = self.reference_rows.shape
        fits = (
            1 <= n_rows <= _MAX_REFERENCE_ROWS
            and n_features >= 1
            and _is_within_single(self.reference_rows)
            and self.reference_scores.shape == (n_rows,)
            and _is_within_single(self.reference_scores)
            and 0 <= self.training_outlier_share <= 1
            and self.distance_scales.shape == (n_features + 1,)
            and bool((self.distance_scales > 0).all() and np.isfinite(self.distance_scales).all())
            and 0 < self.bandwidth < np.inf
            and MIN_WINDOW <= self.window <= MAX_WINDOW
            and self.expected_run_time >= 1
            and all(each.fits(self.window) for each in self.thresholds.values())
            and len(self.bins) in (0, n_features + 1)
            and all(column.are_bins() for column in self.bins)
            and len({int(column.counts.sum()) for column in self.bins}) <= 1
        )
        if not fits:
            raise InvalidBundle(f"{file} does not fit the reference rows beside it: train again.")


def _split_bins(arrays: Mapping[str, NDArray[Any]]) -> tuple[ColumnBins, ...]:
    """Split the arrays of all columns; return no bins if the file has none."""
    if not _BIN_ARRAYS.keys() <= arrays.keys():
        return ()
    ends = np.cumsum(arrays["bins_by_column"])
    # A column has one edge less than bins.
    edges = np.split(arrays["bin_edges"], (ends - np.arange(1, len(ends) + 1))[:-1])
    counts = np.split(arrays["bin_counts"], ends[:-1])
    return tuple(ColumnBins(*column) for column in zip(edges, counts, strict=True))


def _is_within_single(numbers: NDArray[np.float64]) -> bool:
    """Return whether all numbers are finite as float32."""
    return bool((np.abs(numbers) <= np.finfo(np.float32).max).all())
