"""Measure the detector ``counts``: rows until small lasting changes are events, and false events without a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import ColumnBins
from app.drift.counts import BLOCK, CountsDetector, find_power, find_threshold
from app.drift.detector import PLANNED_FALSE_EVENTS
from app.drift.windows import round_to_single
from benchmarks.drift.populations import Trained
from training.drift.calibrate import find_bins

_ROWS_PER_SECOND, _DAYS = 100, 30

# Rows before a change, so that it does not coincide with the beginning of a block; rows of each stream after it.
_BEFORE, _AFTER = 500, 31_500

# Different training samples; streams use them in turn.
_SAMPLES = 4

# A value of so many rows is an atom, from which the changes of the other rows do not move it.
_ATOM_SHARE = 0.01

Rows = NDArray[np.float64]
Change = Callable[[Rows, np.random.Generator], Rows]


def small_changes(population: Rows) -> dict[str, Change]:
    """Return the changes of issue 19, in units of this population."""
    middle = np.subtract(*np.quantile(population, (0.75, 0.25), axis=0))
    spread = population.std(axis=0)
    # The segment: the highest tenth of the first feature.
    segment = population[:, 0] > np.quantile(population[:, 0], 0.9)
    inside, outside = population[segment], population[~segment]

    def off_atoms(move: Callable[[Rows], Rows]) -> Change:
        def change(rows: Rows, generator: np.random.Generator) -> Rows:
            return np.where(_are_off_atoms(population, rows)[:, None], move(rows), rows)

        return change

    def some(share: float, move: Callable[[Rows], Rows]) -> Change:
        def change(rows: Rows, generator: np.random.Generator) -> Rows:
            return np.where(generator.random((len(rows), 1)) < share, move(rows), rows)

        return change

    def grow(rows: Rows, generator: np.random.Generator) -> Rows:
        is_inside = generator.random(len(rows)) < 1.2 * segment.mean()
        drawn = [part[generator.integers(0, len(part), len(rows))] for part in (inside, outside)]
        return np.where(is_inside[:, None], *drawn)

    return {
        "rows off the atoms + 0.1 IQR": off_atoms(lambda rows: rows + 0.1 * middle),
        "rows off the atoms + 0.05 SD": off_atoms(lambda rows: rows + 0.05 * spread),
        "rows off the atoms times 1.1": off_atoms(lambda rows: rows * 1.1),
        "rows off the atoms times 1.3": off_atoms(lambda rows: rows * 1.3),
        "second feature times 1.2": lambda rows, _: np.column_stack([rows[:, :1], 1.2 * rows[:, 1:2], rows[:, 2:]]),
        "2 % of the rows at (5, 5)": some(0.02, lambda rows: np.full_like(rows, 5.0)),
        "first feature 0 in 5 % of the rows": some(0.05, lambda rows: np.column_stack([0 * rows[:, :1], rows[:, 1:]])),
        "a segment from 10 to 12 %": grow,
    }


def _are_off_atoms(population: Rows, rows: Rows) -> NDArray[np.bool_]:
    """Return which rows have no value that many rows of the population share."""
    is_off = np.ones(len(rows), bool)
    for of_population, of_rows in zip(population.T, rows.T, strict=True):
        values, counts = np.unique(of_population, return_counts=True)
        is_off &= ~np.isin(of_rows, values[counts >= _ATOM_SHARE * len(population)])
    return is_off


def bins_of(trained: Trained) -> tuple[ColumnBins, ...]:
    """Return the bins that training would store."""
    columns = np.column_stack([trained.training.rows, trained.training.scores])
    return tuple(find_bins(column) for column in round_to_single(columns).T)


def tabulate_small_changes(populations: Mapping[str, Rows], n_training: int, n_streams: int) -> Iterator[str]:
    """Count the rows from a change to the event, and which share of the streams had one."""
    yield "| rows | change | median rows to the event | largest | streams with an event |"
    yield "|---|---|--:|--:|--:|"
    for name, population in populations.items():
        trained = [Trained.on(population, n_training, seed) for seed in range(min(_SAMPLES, n_streams))]
        bins = [bins_of(each) for each in trained]
        for words, change in {"none": lambda rows, _: rows, **small_changes(population)}.items():
            delays = []
            for seed in range(n_streams):
                sample, generator = seed % len(trained), np.random.default_rng(seed)
                rows = population[generator.integers(0, len(population), _BEFORE + _AFTER)]
                rows = np.concatenate([rows[:_BEFORE], change(rows[_BEFORE:], generator)])
                delays.append(_find_event(trained[sample], bins[sample], rows))
            found = np.isfinite(delays)
            figures = [f"{row:,.0f}" if np.isfinite(row) else "none" for row in (np.median(delays), max(delays))]
            yield f"| {name} | {words} | {figures[0]} | {figures[1]} | {found.sum()} of {n_streams} |"


def _find_event(trained: Trained, bins: tuple[ColumnBins, ...], rows: Rows) -> float:
    """Return the rows after the change at which the event comes; infinite if there is none."""
    detector = CountsDetector(bins, find_threshold(_ROWS_PER_SECOND, PLANNED_FALSE_EVENTS, _DAYS, len(bins)))
    scores = trained.forest.score_and_label(rows)[0]
    for first in range(0, len(rows), BLOCK):
        evidence = detector.push(rows[first : first + BLOCK], scores[first : first + BLOCK])
        if evidence and list(detector.check(evidence)):
            return first + BLOCK - _BEFORE
    return np.inf


def tabulate_false_events(
    populations: Mapping[str, Rows], n_samples: int, n_blocks: int, sizes: tuple[int, ...]
) -> Iterator[str]:
    """Count false events of ``counts``; columns are drawn by bins, independently, which does not make them fewer."""
    yield "| rows | training rows | days of rows | false events | in 30 days | beyond 1 in 1,000 | 10,000 | 100,000 |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for name, population in populations.items():
        for n_training in sizes:
            events, highest = 0, []
            for seed in range(n_samples):
                trained = Trained.on(population, n_training, seed)
                bins = bins_of(trained)
                line = find_threshold(_ROWS_PER_SECOND, PLANNED_FALSE_EVENTS, _DAYS, len(bins))
                powers = _simulate(trained, bins, n_blocks, np.random.default_rng(seed))
                highest.append(powers.ravel())
                above = np.flatnonzero((powers > line).any(axis=(1, 2)))
                # One event lasts as long as its rows are counted.
                events += int((np.diff(above, prepend=-100) > 16).sum())
            days = n_samples * n_blocks * BLOCK / _ROWS_PER_SECOND / 86_400
            shares = [float((np.concatenate(highest) > power).mean() * 10**power) for power in (3, 4, 5)]
            yield (
                f"| {name} | {n_training:,} | {days:,.0f} | {events} | {events * _DAYS / days:.2f} | "
                + " | ".join(f"{share:.2f} times" for share in shares)
                + " |"
            )


# Dense enough to interpolate between.
_RATIOS = np.linspace(0, 500, 5001)


@cache
def _find_powers(degrees: int) -> NDArray[np.float64]:
    """Return the statistics of these likelihood ratios."""
    return np.array([find_power(ratio, degrees) for ratio in _RATIOS.tolist()])


def _simulate(
    trained: Trained, bins: tuple[ColumnBins, ...], n_blocks: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return the statistic of each column and number of blocks, shape ``(n_blocks, n_columns, 5)``."""
    columns = round_to_single(np.column_stack([trained.population.rows, trained.population.scores])).T
    powers = np.zeros((n_blocks, len(bins), 5))
    for number, (column, values) in enumerate(zip(bins, columns, strict=True)):
        shares = np.bincount(column.place(values), minlength=len(column.counts)) / len(values)
        sums = np.cumsum(generator.multinomial(BLOCK, shares, n_blocks), axis=0)
        detector = CountsDetector([column], 1.0)
        for power in range(5):
            size = 2**power
            counts = sums[size - 1 :].copy()
            counts[1:] -= sums[:-size]
            ratios = detector.compute_ratios(counts, size * BLOCK)[:, 0]
            powers[size - 1 :, number, power] = np.interp(ratios, _RATIOS, _find_powers(len(column.counts) - 1))
    return powers
