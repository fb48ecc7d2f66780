"""Calibrate the drift detectors: find the thresholds that give the requested rate of false alarms.

The reference rows are fixed, because the detectors compare live rows with exactly these. Streams without drift are
drawn from the other training rows: drawn from the reference itself, they would be closer to it than live rows are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, exp

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from app.drift.calibration import CVM, MAX_WINDOW, MIN_WINDOW, MMD, OUTLIER_RATE, SCORE, Calibration, ColumnBins
from app.drift.mmd import Encode, RobustScaling, encode_rows
from app.drift.thresholds import find_thresholds, settling_rows
from app.drift.windows import find_outlier_rate_thresholds, round_to_single
from training.drift.simulate import DriftSimulation
from training.errors import BadArgument


@dataclass(frozen=True)
class DriftParameters:
    """The parameters of the drift detectors.

    Parameters
    ----------
    expected_run_time
        Expected run time: rows before the first signal of a detector without drift, 100 to 50,000.
    window
        Rows that are compared with the reference at a time, 2 to 1,000.

    Raises
    ------
    BadArgument
        If a value is out of its range; the message names the option.

    Examples
    --------
    >>> DriftParameters(window=1)
    Traceback (most recent call last):
    training.errors.BadArgument: --drift-window 1 is out of range; use 2 to 1000 rows.
    """

    # 50 seconds at 100 rows a second: a signal is cheap, since it is confirmed before anybody is notified.
    expected_run_time: int = 5000
    # One second at 100 rows a second; a shifted feature is visible after a tenth of it.
    window: int = 100

    def __post_init__(self) -> None:
        # With more, the simulated streams would not fit into an ordinary machine's memory.
        if not 100 <= self.expected_run_time <= 50_000:
            raise BadArgument(f"--drift-ert {self.expected_run_time} is out of range; use 100 to 50000 rows.")
        if not MIN_WINDOW <= self.window <= MAX_WINDOW:
            raise BadArgument(f"--drift-window {self.window} is out of range; use {MIN_WINDOW} to {MAX_WINDOW} rows.")
        if self.window > self.expected_run_time:
            raise BadArgument(
                f"--drift-window {self.window} is more than --drift-ert {self.expected_run_time}; use less, "
                "or a longer run time."
            )


@dataclass(frozen=True)
class ScoredRows:
    """Rows with their scores and predicted labels.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_features)``.
    scores
        Shape ``(n_rows,)``: the lower, the more abnormal.
    labels
        Shape ``(n_rows,)``: 1 inlier, -1 outlier.
    """

    rows: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: NDArray[np.int64]) -> ScoredRows:
        """Return the chosen rows, in this order."""
        return ScoredRows(self.rows[chosen], self.scores[chosen], self.labels[chosen])


# More would slow each comparison down, fewer would make it less sensitive.
REFERENCE_ROWS = 2000

# With fewer rows besides the reference, thresholds that fit one sample of them are far off on another.
_CALIBRATION_ROWS = 2000

MIN_ROWS_FOR_DRIFT = REFERENCE_ROWS + _CALIBRATION_ROWS

# Reference rows and thresholds depend on the data only: two forests trained on the same data have the same reference.
_SEED = 0


def split_reference(n_rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of the reference rows and of the other training rows; both ascending.

    Examples
    --------
    >>> reference, others = split_reference(5000)
    >>> len(reference), len(others), len(np.union1d(reference, others))
    (2000, 3000, 5000)
    >>> split_reference(3)
    (array([0, 1, 2]), array([], dtype=int64))
    """
    generator = np.random.default_rng(_SEED)
    reference = np.sort(generator.choice(n_rows, size=min(REFERENCE_ROWS, n_rows), replace=False))
    return reference, np.setdiff1d(np.arange(n_rows), reference)


def find_bandwidth(rows: NDArray[np.float64]) -> float:
    """Return the kernel bandwidth by the median heuristic: the median distance of two scaled rows that differ.

    Where many rows are equal, the median over all pairs would be near 0, and any two different rows would be not
    similar at all. If all rows are equal, the bandwidth is 1.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_features)``.

    References
    ----------
    A. Gretton et al., "A kernel two-sample test", Journal of Machine Learning Research 13, 2012, section 8.

    Examples
    --------
    >>> round(find_bandwidth(np.array([[0.0], [0.0], [0.0], [0.0], [3.0]])), 3)
    1.284
    >>> find_bandwidth(np.zeros((5, 2)))
    1.0
    """
    points = RobustScaling.of(rows).apply(rows)
    # Differences, not products of rows: with products, rounding would make the distance of equal rows positive.
    squares = np.concatenate([((points[i + 1 :] - point) ** 2).sum(axis=1) for i, point in enumerate(points)])
    above_zero = squares[squares > 0]
    return float(np.sqrt(np.median(above_zero))) if len(above_zero) else 1.0


# A column without common values gets so many bins of equal size: with more, small shifts of many rows would be less
# visible.
_CELLS = 10

# A bin has at least this share of the training rows, and so many of them: of 2,000 live rows, 8 are expected there, so
# that the statistic of app.drift.counts has the distribution that its threshold assumes.
_MIN_BIN_SHARE, _MIN_BIN_ROWS = 0.004, 20


def find_bins(values: NDArray[np.float64]) -> ColumnBins:
    """Divide the values of a column into bins: one for each common value, and between them up to ten of similar size.

    Parameters
    ----------
    values
        Of all training rows, rounded to float32.

    Examples
    --------
    >>> bins = find_bins(np.append(np.zeros(600), np.arange(1.0, 401.0)))
    >>> bins.counts.tolist()
    [600, 100, 100, 100, 100]
    >>> find_bins(np.zeros(1000)).counts.tolist()
    [1000]
    """
    min_rows = max(_MIN_BIN_ROWS, _MIN_BIN_SHARE * len(values))
    values = np.sort(values)  # on sorted values, the steps below take a fraction of the time
    distinct, counts = np.unique(values, return_counts=True)
    common = distinct[counts >= min_rows]
    ends = np.quantile(values, np.arange(1, _CELLS) / _CELLS, method="inverted_cdf")
    # Nothing lies between a value and the next float.
    edges = np.unique(np.concatenate([common, np.nextafter(np.append(common, ends), np.inf)]))
    in_bins = np.diff(values.searchsorted(edges), prepend=0, append=len(values))
    while len(edges) and in_bins.min() < min_rows:
        smallest = int(in_bins.argmin())
        # Joined with the smaller of its neighbours, so that a common value stays alone as long as possible.
        is_last = smallest == len(edges)
        lower = smallest - 1 if is_last or (smallest and in_bins[smallest - 1] <= in_bins[smallest + 1]) else smallest
        edges = np.delete(edges, lower)
        in_bins = np.append(np.append(in_bins[:lower], in_bins[lower] + in_bins[lower + 1]), in_bins[lower + 2 :])
    return ColumnBins(edges, in_bins)


# Simulated first signals of each detector. The standard error of the run time is 1 / sqrt(2000) = 2 %; for wide tables
# and long run times, which get fewer, at most 4 %.
_MAX_SIGNALS, _MIN_SIGNALS = 2000, 500

# Streams are simulated in excess, in case there are fewer signals than expected.
_RESERVE = 1.1

# Comparisons of two rows in one column, of which a core makes so many in about half a minute; and rows of all streams
# together, whose statistics fit into an ordinary machine's memory several times.
_MAX_COMPARISONS, _MAX_ROWS = 12e9, 30_000_000

# A stream continues for so many windows after the settling rows: most of its rows count, and there are many streams.
_WINDOWS_AT_RISK = 10

# The detectors that need simulated streams of rows.
_OF_ROWS = (MMD, CVM, SCORE)

# More rows do not improve the thresholds, and each is compared with the whole reference.
_MAX_CALIBRATION_ROWS = 100_000


def calibrate(
    reference: ScoredRows,
    others: ScoredRows,
    training_outlier_share: float,
    parameters: DriftParameters,
    on_progress: Callable[[float], None] = lambda share: None,
    encode: Encode | None = None,
) -> Calibration:
    """Calibrate all detectors.

    Parameters
    ----------
    reference
        Rows that live rows will be compared with.
    others
        Training rows that are not in the reference, at least 2,000.
    training_outlier_share
        Share of all training rows that the model flagged.
    parameters
        Parameters of the detectors.
    on_progress
        Called regularly with the completed share, in [0, 1].
    encode
        Makes the forest's features of columns; None if they are the columns.
    """
    generator = np.random.default_rng(_SEED)
    columns = [np.column_stack([part.rows, part.scores]) for part in (reference, others)]
    n_others = len(others)
    bins = tuple(find_bins(column) for column in round_to_single(np.concatenate(columns)).T)
    if len(others) > _MAX_CALIBRATION_ROWS:
        others = others.take(generator.choice(len(others), _MAX_CALIBRATION_ROWS, replace=False))
    window, run_time = parameters.window, parameters.expected_run_time
    bandwidth = find_bandwidth(encode_rows(round_to_single(reference.rows), encode))
    n_streams, n_windows = plan_streams(window, run_time, columns[0].shape[1])
    thresholds = {
        OUTLIER_RATE: find_outlier_rate_thresholds(
            training_outlier_share, len(reference) + n_others, window, run_time, _MAX_ROWS
        )
    }
    # The streams are simulated in threads; if each had further ones for its products, they would wait for each other.
    with threadpool_limits(limits=1, user_api="blas"):
        simulation = DriftSimulation(reference, others, bandwidth, window, n_streams, n_windows, generator, encode)
        for n_done, name in enumerate(_OF_ROWS):

            def report_part(part: float, n_done: int = n_done) -> None:
                on_progress((n_done + part) / len(_OF_ROWS))

            statistics = simulation.run(name, report_part)
            thresholds[name] = find_thresholds(statistics, window, run_time)
    return Calibration(
        reference_rows=reference.rows,
        reference_scores=reference.scores,
        training_outlier_share=training_outlier_share,
        bandwidth=bandwidth,
        distance_scales=simulation.scales,
        expected_run_time=run_time,
        window=window,
        thresholds=thresholds,
        bins=bins,
        is_mmd_encoded=encode is not None,
    )


def plan_streams(window: int, run_time: int, n_columns: int) -> tuple[int, int]:
    """Return how many streams are needed, and for how many full windows each."""
    settling, at_risk = settling_rows(window), min(_WINDOWS_AT_RISK * window, run_time)
    signals_per_stream = exp(-settling / run_time) * (1 - exp(-at_risk / run_time))
    # The similarity of whole rows costs about as much as two more columns of ranks.
    comparisons_per_stream = (window + settling + at_risk) * window * (n_columns + 2)
    affordable_streams = min(_MAX_COMPARISONS / comparisons_per_stream, _MAX_ROWS / (settling + at_risk))
    affordable = affordable_streams * signals_per_stream / _RESERVE
    n_signals = min(_MAX_SIGNALS, max(_MIN_SIGNALS, affordable))
    return ceil(_RESERVE * n_signals / signals_per_stream), settling + at_risk
