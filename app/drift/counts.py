"""The detector ``counts``: accumulates evidence for changes that are too small for a window.

It counts the last 2,000 to 32,000 rows by the bins of each column, and compares them with the counts of all training
rows. The statistic is the likelihood ratio of two samples. Its distribution without drift depends neither on the data
nor on simulations, and includes that the training rows are a sample, too.

References
----------
S. S. Wilks, "The large-sample distribution of the likelihood ratio for testing composite hypotheses", Annals of
Mathematical Statistics 9, 1938.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import erfc, exp, lgamma, log, log10, pi, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import ColumnBins
from app.drift.dependence import Dependence
from app.drift.detector import MAX_COUNT, SECONDS_PER_DAY, Kind, Phase, Progress
from app.drift.windows import round_to_single

# Rows between two comparisons: 20 seconds at the default rate.
BLOCK = 2000

# Blocks that are compared together. Each doubling finds changes that are 1.4 times smaller, twice as late. With more
# than 32,000 rows, the error of the training rows is usually larger.
_SIZES = (1, 2, 4, 8, 16)

# Quiet comparisons in a row, without common rows, that end a drift.
_QUIET = 2

# At most one comparison in so many is a false event, so that an event means something also where there are few rows.
_MIN_COMPARISONS = 10_000

# From here on, an approximation of the tail is off by 0.5 % of the probability.
_LARGE = 100.0

# Beyond what can be measured: a correlation is at most 1, and with rare values down to minus a few hundred.
_LARGEST_CORRELATION = 1e6


class Evidence(NamedTuple):
    """The result of one comparison.

    Parameters
    ----------
    statistic
        Of the column that differs most: how improbable so much difference is without drift, as a power of ten; 3 means
        one in a thousand.
    column
        Number of that column.
    size
        The number of blocks in which it differs most.
    """

    statistic: float
    column: int
    size: int


def find_threshold(rows_per_second: float, false_events: float, days: float, n_columns: int) -> float:
    """Return the statistic that leads to so many false events in so many days.

    Parameters
    ----------
    rows_per_second
        The most rows a second that reach the detector.
    false_events, days
        The mean number of false events in these days, at most.
    n_columns
        Number of columns that are compared each time.

    Examples
    --------
    >>> round(find_threshold(rows_per_second=100, false_events=0.125, days=30, n_columns=3), 2)
    7.19
    """
    comparisons = max(1.0, rows_per_second * days * SECONDS_PER_DAY / BLOCK) * len(_SIZES) * n_columns
    return log10(max(comparisons / false_events, _MIN_COMPARISONS))


class CountsDetector:
    """Compares the last blocks of rows with training. There is nothing to confirm: each signal is an event.

    A drift ends when two windows in a row, of the size that found it, differ less than half as much. Then all rows are
    forgotten, so that none of the drift counts again.

    Parameters
    ----------
    bins
        Of each feature and, last, of the score.
    threshold
        An event is a statistic above it, see :func:`find_threshold`.
    first_widening
        Of the thresholds of windows until it is known how much rows depend on each other.
    """

    def __init__(self, bins: Sequence[ColumnBins], threshold: float, first_widening: float = 1.0) -> None:
        self._bins = tuple(bins)
        n_bins = [len(column.counts) for column in self._bins]
        self._starts = np.concatenate([[0], np.cumsum(n_bins)[:-1]]).astype(np.int64)
        self._training = np.concatenate([column.counts for column in self._bins]).astype(np.float64)
        self._n_training = int(self._bins[0].counts.sum())
        self._degrees = np.array(n_bins) - 1
        self._dependence = Dependence(n_bins, first_widening)
        # The bins of the rows of an unfinished block, and how many rows are missing until it is full, 1 to 2,000.
        self._rows: list[NDArray[np.uint8]] = []
        self.missing = BLOCK
        # The counts of the last blocks, each of shape (n_bins,).
        self._blocks: deque[NDArray[np.int64]] = deque(maxlen=_SIZES[-1])
        self._found_by = 1
        self.progress = Progress()
        self.statistic: float | None = None
        self.threshold = threshold

    @property
    def widening(self) -> float:
        """How many times farther from training dependent rows may be than independent rows."""
        return self._dependence.factor

    def push(self, rows: NDArray[np.float64], scores: NDArray[np.float64]) -> Evidence | None:
        """Add rows, at most as many as are missing; shapes ``(n_rows, n_features)`` and ``(n_rows,)``.

        Returns
        -------
        The evidence, if the rows complete a block.
        """
        columns = zip(self._bins, round_to_single(np.column_stack([rows, scores])).T, strict=True)
        self._rows.append(np.stack([column.place(values) for column, values in columns], axis=1))
        self.missing -= len(rows)
        if self.missing:
            return None
        places = np.concatenate(self._rows)
        self._rows, self.missing = [], BLOCK
        self._dependence.add(places)
        self._blocks.append(np.bincount((places + self._starts).ravel(), minlength=len(self._training)))
        evidence = max(self._compare())
        self.statistic = evidence.statistic
        return evidence

    def check(self, evidence: Evidence) -> Iterator[Kind]:
        """Process the evidence of a block; yield a signal and its event, if that is what it means."""
        progress = self.progress
        if progress.phase is Phase.DRIFTING:
            self._wait_for_end()
            return
        progress.phase = Phase.WATCHING
        progress.rows_watched += BLOCK
        if evidence.statistic > self.threshold:
            self._found_by = min(each.size for each in self._compare() if each.statistic > self.threshold)
            self.progress = Progress(Phase.DRIFTING, alarms=progress.alarms + 1, events=progress.events + 1)
            yield from (Kind.ALARM, Kind.EVENT)

    def _wait_for_end(self) -> None:
        """Count quiet windows of the size that found the drift."""
        progress = self.progress
        progress.rows_of_window += BLOCK
        if progress.rows_of_window < self._found_by * BLOCK:
            return
        progress.rows_of_window = 0
        is_quiet = max(self._compare([self._found_by])).statistic < self.threshold / 2
        progress.windows = progress.windows + 1 if is_quiet else 0
        if progress.windows >= _QUIET:
            self.progress = Progress(Phase.WATCHING, alarms=progress.alarms, events=progress.events)
            self._blocks.clear()

    def _compare(self, sizes: Sequence[int] = _SIZES) -> Iterator[Evidence]:
        """Compare the last blocks with training, for each number of blocks of which there are enough."""
        blocks = np.array(self._blocks)
        for size in sizes:
            if size <= len(blocks):
                ratios = self.compute_ratios(blocks[-size:].sum(axis=0), size * BLOCK) / self.widening
                statistics = [find_power(*each) for each in zip(ratios.tolist(), self._degrees.tolist(), strict=True)]
                statistic = max(statistics)
                yield Evidence(statistic, statistics.index(statistic), size)

    def compute_ratios(self, counts: NDArray[np.int64], n_rows: int) -> NDArray[np.float64]:
        """Compute the likelihood ratio of each column, 0 if live rows are distributed as training rows.

        Parameters
        ----------
        counts
            Live rows in each bin, shape ``(..., n_bins)``.
        n_rows
            The number of these rows.

        Returns
        -------
        Shape ``(..., n_columns)``.
        """
        together = (counts + self._training) / (n_rows + self._n_training)
        # A bin without live rows adds nothing for them.
        live = counts * np.log(np.maximum(counts, 1) / (n_rows * together))
        training = self._training * np.log(self._training / (self._n_training * together))
        ratios: NDArray[np.float64] = 2 * np.add.reduceat(live + training, self._starts, axis=-1)
        return ratios

    def state(self) -> dict[str, Any]:
        """Return what a restart needs, as strict JSON values."""
        places = np.concatenate([np.empty((0, len(self._bins)), np.uint8), *self._rows])
        return {
            "progress": asdict(self.progress),
            "found_by": self._found_by,
            "rows": b64encode(places.tobytes()).decode("ascii"),
            "blocks": b64encode(np.array(self._blocks, "<u2").tobytes()).decode("ascii"),
            "measured": self._dependence.measured.tolist(),
            "measured_blocks": self._dependence.n_blocks,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state of another detector of the same model.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it does not fit; this detector must then not be used.
        """
        shape = (-1, len(self._bins))
        places = np.frombuffer(b64decode(state["rows"], validate=True), np.uint8).reshape(shape)
        blocks = np.frombuffer(b64decode(state["blocks"], validate=True), "<u2").reshape(-1, len(self._training))
        measured, n_blocks = np.array(state["measured"], np.float64), state["measured_blocks"]
        fits = (
            len(places) < BLOCK
            and bool((places <= self._degrees).all())
            and bool((np.add.reduceat(blocks.astype(np.int64), self._starts, axis=1) == BLOCK).all())
            and measured.shape == self._dependence.measured.shape
            and bool((np.abs(measured) <= _LARGEST_CORRELATION).all())
            and type(n_blocks) is int
            and 0 <= n_blocks <= MAX_COUNT
            and state["found_by"] in _SIZES
        )
        if not fits:
            raise ValueError("the saved counts do not fit the model.")
        self.progress, self._found_by = Progress.of(state["progress"]), state["found_by"]
        self._rows, self.missing = [places], BLOCK - len(places)
        self._blocks.extend(blocks.astype(np.int64))
        self._dependence.measured, self._dependence.n_blocks = measured, n_blocks
        if self._blocks:
            self.statistic = max(self._compare()).statistic


def find_power(ratio: float, degrees: int) -> float:
    """Return how improbable a larger chi-squared statistic is, as a power of ten, from the finite series of its tail.

    Examples
    --------
    Of 19 degrees of freedom, one in a million exceeds 63.68:

    >>> round(find_power(63.68, 19), 3), round(find_power(23.93, 1), 3)
    (6.0, 6.0)
    >>> find_power(1e5, 0)
    0.0
    """
    half = ratio / 2
    if half <= 0 or degrees == 0:
        return 0.0
    # The terms without their common factor exp(-half), as logarithms: the factor alone can be too small for a float.
    first = degrees % 2 / 2
    logs = [k * log(half) - lgamma(k + 1) for k in (first + i for i in range(degrees // 2))]
    if degrees % 2:
        # For large arguments, erfc(x) approaches exp(-x ** 2) / (x * sqrt(pi)).
        logs.append(half + log(erfc(sqrt(half))) if half < _LARGE else -log(pi * half) / 2)
    largest = max(logs)
    return (half - largest - log(sum(exp(each - largest) for each in logs))) / log(10)
