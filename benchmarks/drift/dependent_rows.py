"""Measure false events, and delays of true ones, in rows that depend on each other: retries and sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import COUNTS, DETECTORS, Calibration
from app.drift.counts import BLOCK, CountsDetector, find_threshold
from app.drift.detector import PLANNED_FALSE_EVENTS, Kind
from app.drift.monitor import DriftMonitor
from benchmarks.drift.held_out_rows import score
from benchmarks.drift.populations import Trained
from benchmarks.drift.run_lengths import Source, draw_from
from benchmarks.drift.small_changes import bins_of
from training.drift.calibrate import ScoredRows

ROWS_PER_SECOND, _DAYS = 100, 30

# Rows after which the dependence is known.
_WARM_UP = 6000

# Rows after which a change is given up.
_LONGEST = 20_000

Rows = NDArray[np.float64]

# Kinds of rows: groups of nearby ones.
_KINDS, _ROUNDS = 5, 15


def find_kinds(rows: NDArray[np.float64], seed: int = 0) -> NDArray[np.int64]:
    """Return the kind of each row, 0 to 4, by k-means on scaled rows."""
    generator = np.random.default_rng(seed)
    scaled = np.arcsinh((rows - np.median(rows, axis=0)) / (0.2 * rows.std(axis=0)))
    centres = scaled[generator.choice(len(scaled), _KINDS, replace=False)]
    kinds = np.zeros(len(rows), np.int64)
    for _ in range(_ROUNDS):
        kinds = ((scaled[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        centres = np.array([scaled[kinds == kind].mean(axis=0) for kind in np.unique(kinds)])
    return kinds


def send_repeatedly(rows: ScoredRows, times: int, generator: np.random.Generator) -> Source:
    """Return a stream in which each row is sent several times in a row."""

    def draw(n_rows: int, first: int) -> ScoredRows:
        return rows.take(np.repeat(generator.integers(0, len(rows), n_rows // times + 1), times)[:n_rows])

    return draw


def send_sessions(rows: ScoredRows, length: int, generator: np.random.Generator) -> Source:
    """Return a stream of sessions, each of different rows of one kind."""
    kinds = find_kinds(rows.rows)
    members = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    sizes = np.array([len(each) for each in members])
    together = np.concatenate(members)
    begins = np.cumsum(sizes) - sizes

    def draw(n_rows: int, first: int) -> ScoredRows:
        kind = generator.choice(len(sizes), n_rows // length + 1, p=sizes / sizes.sum())
        chosen = begins[kind, None] + generator.integers(0, sizes[kind, None], (len(kind), length))
        return rows.take(together[chosen.ravel()[:n_rows]])

    return draw


def sample_each_second(source: Source, rows_per_second: float, most: int, generator: np.random.Generator) -> Source:
    """Return what the recorder passes on of a stream: of each second's rows a sample, in the order of their arrival."""
    if rows_per_second <= most:
        return source

    def draw(n_rows: int, first: int) -> ScoredRows:
        parts = []
        for _ in range(0, n_rows, most):
            n_arrived = int(rows_per_second)
            chosen = np.sort(generator.choice(n_arrived, most, replace=False))
            parts.append(source(n_arrived, first).take(chosen))
        return ScoredRows(
            *(np.concatenate([getattr(part, name) for part in parts])[:n_rows] for name in ("rows", "scores", "labels"))
        )

    return draw


# Makes a stream of a population.
Make = Callable[[ScoredRows, np.random.Generator], Source]


def _sampled(make: Make) -> Make:
    """Return a stream of ten times as many rows as the recorder passes on."""

    def make_sampled(rows: ScoredRows, generator: np.random.Generator) -> Source:
        return sample_each_second(make(rows, generator), 10 * ROWS_PER_SECOND, ROWS_PER_SECOND, generator)

    return make_sampled


# The rate makes no difference up to 100 rows a second, where all rows are seen.
STREAMS: dict[str, Make] = {
    "independent": draw_from,
    "each row twice": lambda rows, generator: send_repeatedly(rows, 2, generator),
    "each row three times": lambda rows, generator: send_repeatedly(rows, 3, generator),
    "sessions of 3": lambda rows, generator: send_sessions(rows, 3, generator),
    "sessions of 10": lambda rows, generator: send_sessions(rows, 10, generator),
    "each row three times, 1,000 rows/s": _sampled(lambda rows, generator: send_repeatedly(rows, 3, generator)),
    "sessions of 10, 1,000 rows/s": _sampled(lambda rows, generator: send_sessions(rows, 10, generator)),
}

CLEAR_CHANGES: dict[str, Callable[[Rows], Rows]] = {
    "+0.3 on all": lambda rows: rows + 0.3,
    "times 1.5": lambda rows: rows * 1.5,
    "first feature stuck at 1": lambda rows: np.column_stack([np.ones(len(rows)), rows[:, 1:]]),
}


def tabulate_factors(populations: Mapping[str, Rows], n_training: int, n_blocks: int) -> Iterator[str]:
    """Show the factor of each stream, and what ``counts`` makes of it."""
    yield "| rows | stream | factor: first block, median, largest | events | largest statistic / threshold | above 2 |"
    yield "|---|---|--:|--:|--:|--:|"
    for name, population in populations.items():
        trained = Trained.on(population, n_training, seed=0)
        bins = bins_of(trained)
        for words, make in STREAMS.items():
            detector = CountsDetector(bins, find_threshold(ROWS_PER_SECOND, PLANNED_FALSE_EVENTS, _DAYS, len(bins)))
            source = make(trained.population, np.random.default_rng(5))
            factors, statistics = [], []
            for number in range(n_blocks):
                rows = source(BLOCK, number * BLOCK)
                evidence = detector.push(rows.rows, rows.scores)
                assert evidence is not None
                list(detector.check(evidence))
                factors.append(detector.widening)
                statistics.append(evidence.statistic)
            largest, above = max(statistics) / detector.threshold, float(np.mean(np.array(statistics) > 2))
            yield (
                f"| {name} | {words} | {factors[0]:.1f}, {np.median(factors):.1f}, {max(factors):.1f} | "
                f"{detector.progress.events} | {largest:.2f} | {above:.3f} |"
            )


def tabulate_dependent_rows(populations: Mapping[str, Rows], n_training: int, n_rows: int) -> Iterator[str]:
    """Estimate false events where rows depend on each other, and count the rows until clear changes are events."""
    yield (
        "| rows | stream | factor | false events in 30 days: "
        + " | ".join(f"`{name}`" for name in DETECTORS)
        + " | `counts`: largest statistic / threshold | rows to the event: "
        + " | ".join(CLEAR_CHANGES)
        + " |"
    )
    yield "|---|---|" + "--:|" * (len(DETECTORS) + len(CLEAR_CHANGES) + 2)
    for name, population in populations.items():
        trained = Trained.on(population, n_training, seed=0)
        calibration = trained.calibrate()
        for words, make in STREAMS.items():
            watch = make_watch(calibration)
            source = make(trained.population, np.random.default_rng(100))
            false_events, highest = _estimate_false_events(watch, calibration, source, n_rows)
            delays = [_find_event(trained, calibration, make, change) for change in CLEAR_CHANGES.values()]
            figures = [f"{events:.3f}" for events in false_events] + [f"{highest:.2f}"] + [f"{d:,}" for d in delays]
            yield f"| {name} | {words} | {watch.dependence:.1f} | " + " | ".join(figures) + " |"


def make_watch(calibration: Calibration) -> DriftMonitor:
    """Make a monitor of the default settings."""
    names = tuple(str(number) for number in range(calibration.reference_rows.shape[1]))
    return DriftMonitor(calibration, names, ROWS_PER_SECOND, _DAYS)


def _estimate_false_events(
    watch: DriftMonitor, calibration: Calibration, source: Source, n_rows: int
) -> tuple[list[float], float]:
    """Return the false events of each window detector in 30 days, and the largest ratio of ``counts``.

    Most runs have no event. Signals lead to one if windows confirm it, which are independent of each other; so their
    number and the share of windows beyond the confirming threshold are measured.
    """
    share, n_confirming = watch.confirmation.share, watch.confirmation.n_windows
    lines = {name: calibration.thresholds[name].confirming_threshold(share) for name in DETECTORS}
    n_beyond = dict.fromkeys(DETECTORS, 0)
    highest = 0.0
    for first in range(0, n_rows, calibration.window):
        # Rows of a session must not be cut off by asking for few.
        if first % _WARM_UP == 0:
            rows = source(_WARM_UP, first)
        part = rows.take(np.arange(first % _WARM_UP, first % _WARM_UP + calibration.window))
        before = watch.dependence
        ratios = watch.update(part.rows, part.scores, part.labels).ratios
        highest = max([highest, *ratios[COUNTS]])
        for name in DETECTORS if first >= _WARM_UP else ():
            n_beyond[name] += (watch.detectors[name].statistic or 0) > before * lines[name]
    n_windows = (n_rows - _WARM_UP) / calibration.window
    per_row = _DAYS * ROWS_PER_SECOND * 86_400 / n_rows
    signals = {name: watch.detectors[name].progress.alarms for name in DETECTORS}
    return [per_row * signals[name] * (n_beyond[name] / n_windows) ** n_confirming for name in DETECTORS], highest


def _find_event(trained: Trained, calibration: Calibration, make: Make, change: Callable[[Rows], Rows]) -> int:
    """Return the rows from a change to the first event after it."""
    watch = make_watch(calibration)
    source = make(trained.population, np.random.default_rng(200))
    before = source(_WARM_UP, 0)
    watch.update(before.rows, before.scores, before.labels)
    after = score(trained.forest, change(source(_LONGEST, _WARM_UP).rows))
    for first in range(0, _LONGEST, 100):
        part = after.take(np.arange(first, first + 100))
        for finding in watch.update(part.rows, part.scores, part.labels).findings:
            if finding.kind is Kind.EVENT:
                return finding.row - _WARM_UP
    return _LONGEST
