"""The calibration of the drift detectors, from training: thresholds in ``drift.npz``, and the reference rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidBundle
from app.server.array_file import MAX_BYTES, ArrayKind, read_arrays
from app.server.regular_file import open_regular

# Probabilities that an undrifted window exceeds a stored quantile. The largest would confirm every fourth false signal;
# smaller ones than the smallest cannot be estimated from the simulated windows.
CONFIRMING_SHARES: NDArray[np.float64] = np.geomspace(0.25, 0.001, 80)

# Training uses 2; more leave room for another choice.
_MAX_SETTLING_WINDOWS = 100


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of one detector.

    Parameters
    ----------
    starts
        Rows after the first full window from which each threshold applies, ascending from 0.
    lines
        A signal is a statistic above the threshold that applies; same shape as ``starts``.
    confirming
        The statistic that undrifted windows exceed at most with the probability in ``CONFIRMING_SHARES``; same shape
        as that.
    run_time
        Mean number of rows from the first full window to the first signal without drift; infinite if no window can
        signal.
    """

    starts: NDArray[np.int64]
    lines: NDArray[np.float64]
    confirming: NDArray[np.float64]
    run_time: float

    def fits(self, window: int) -> bool:
        """Return whether the values can be thresholds for windows of this size.

        Training lets the threshold settle for ``2 * window`` rows; a far longer table would fill the memory.
        """
        return (
            self.starts.shape == self.lines.shape
            and len(self.starts) >= 1
            and self.starts[0] == 0
            and bool((np.diff(self.starts) > 0).all())
            and int(self.starts[-1]) <= _MAX_SETTLING_WINDOWS * window
            and bool((self.lines != 0).all() and np.isfinite(self.lines).all())
            and self.confirming.shape == CONFIRMING_SHARES.shape
            and bool(np.isfinite(self.confirming).all())
            and self.run_time > 0
        )

    def by_row(self) -> list[float]:
        """Return the threshold of each row from the first full window on; the last one applies to all further rows.

        Examples
        --------
        >>> lines = np.array([0.5, 0.4, 0.3])
        >>> Thresholds(np.array([0, 1, 3]), lines, np.zeros(80), run_time=300.0).by_row()
        [0.5, 0.4, 0.4, 0.3]
        """
        lengths = np.append(np.diff(self.starts), 1)
        return [float(line) for line in np.repeat(self.lines, lengths)]

    def confirming_threshold(self, share: float) -> float:
        """Return the statistic that an undrifted window exceeds at most with this probability.

        Raises
        ------
        ValueError
            If the probability is below 0.001, for which nothing is stored.
        """
        # A rounding error must not select the next, much smaller share.
        [small_enough] = np.nonzero(share * (1 + 1e-9) >= CONFIRMING_SHARES)
        if not len(small_enough):
            raise ValueError(f"no threshold is stored for the probability {share:g}; pass 0.001 or more.")
        return float(self.confirming[small_enough[0]])


# Maximum mean discrepancy over all features; Cramer-von Mises per feature, and of the anomaly score; the share of
# outliers.
MMD, CVM, SCORE, OUTLIER_RATE = "mmd", "cvm", "score", "outlier_rate"
DETECTORS = (MMD, CVM, SCORE, OUTLIER_RATE)

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
    """

    reference_rows: NDArray[np.float64]
    reference_scores: NDArray[np.float64]
    training_outlier_share: float
    bandwidth: float
    distance_scales: NDArray[np.float64]
    expected_run_time: int
    window: int
    thresholds: dict[str, Thresholds]

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
                arrays = read_arrays(opened, _DRIFT_ARRAYS)
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
        )
        if not fits:
            raise InvalidBundle(f"{file} does not fit the reference rows beside it: train again.")


def _is_within_single(numbers: NDArray[np.float64]) -> bool:
    """Return whether all numbers are finite as float32."""
    return bool((np.abs(numbers) <= np.finfo(np.float32).max).all())
