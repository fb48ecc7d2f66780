"""Estimate false events of the window detectors: rows without a change, of several populations and training samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import DETECTORS, MMD, OUTLIER_RATE, Calibration
from app.drift.detector import SECONDS_PER_DAY, Confirmation, plan_confirmation
from app.drift.thresholds import Thresholds
from app.drift.windows import find_outlier_rate_thresholds, slide_outlier_shares, step_between_outlier_shares
from benchmarks.drift.populations import Trained
from training.drift.calibrate import DriftParameters, plan_streams, split_reference
from training.drift.simulate import DriftSimulation

_ROWS_PER_SECOND, _DAYS = 100, 30

# Sets the size of a simulation: with this run time some 4,300 streams of 1,200 rows, so that a detector has about 1,000
# signals and 51,000 windows that share no rows.
_SIMULATED_RUN_TIME = 1000

# Streams of labels as long as the run time: six in ten have a signal.
_N_STREAMS = 1500

_DEFAULTS = DriftParameters()

Statistics = NDArray[np.float64]

# Of a normal distribution, within which 95 % lie.
_ERRORS = 1.96


@dataclass(frozen=True)
class FalseEvents:
    """What one detector does in streams without a change.

    Parameters
    ----------
    n_signals, n_at_risk
        First signals of the streams, and the rows up to and including them.
    n_beyond, n_windows
        Windows that share no rows: those above the confirming threshold, and all.
    expected
        False events in 30 days at 100 rows a second.
    """

    n_signals: int
    n_at_risk: int
    n_beyond: int
    n_windows: int
    expected: float

    @property
    def run_length(self) -> float:
        """Mean rows from the first full window to a signal."""
        return self.n_at_risk / max(self.n_signals, 1)

    def variance(self, n_confirming: int) -> float:
        """Return the variance of ``expected``: Poisson for the signals, binomial for the windows."""
        n_beyond, n_signals = max(self.n_beyond, 1), max(self.n_signals, 1)
        return self.expected**2 * (1 / n_signals + n_confirming**2 * (1 / n_beyond - 1 / self.n_windows))


def estimate_false_events(trained: Trained, calibration: Calibration, seed: int) -> dict[str, FalseEvents]:
    """Simulate rows of the population without a change, by detector.

    A signal is an event if the windows after it confirm it. They share no rows with each other and with the window of
    the signal, so they are independent of it: signals and windows are counted separately, because events are too rare.
    """
    reference = trained.training.take(split_reference(len(trained.training))[0])
    # The score is one more column.
    planned = plan_streams(calibration.window, _SIMULATED_RUN_TIME, reference.rows.shape[1] + 1)
    simulation = DriftSimulation(
        *(reference, trained.population, calibration.bandwidth, calibration.window),
        *(*planned, np.random.default_rng([seed, 1])),
    )
    simulation.scales = calibration.distance_scales
    statistics = {name: simulation.run(name) for name in DETECTORS if name != OUTLIER_RATE}
    n_streams, n_rows = statistics[MMD].shape
    generator, share, window = np.random.default_rng([seed, 2]), calibration.training_outlier_share, calibration.window
    labels = generator.choice(trained.population.labels, (n_streams, n_rows + window - 1))
    statistics[OUTLIER_RATE] = _share_outliers(labels, share, window, generator)
    return {name: _count(statistics[name], calibration.thresholds[name], calibration) for name in DETECTORS}


def _share_outliers(
    labels: NDArray[np.int64], training_share: float, window: int, generator: np.random.Generator
) -> Statistics:
    """Compute the statistic of ``outlier_rate`` in streams of labels, shape ``(n_streams, n_rows)``."""
    shares = slide_outlier_shares(labels < 0, training_share, window)
    return shares + step_between_outlier_shares(training_share, window) * generator.random(shares.shape)


def _count_signals(statistics: Statistics, thresholds: Thresholds) -> tuple[int, int]:
    """Count first signals of streams, and the rows up to and including them."""
    lines = thresholds.by_row()
    above = statistics > np.append(lines, np.full(statistics.shape[1] - len(lines), lines[-1]))
    signals = above.any(axis=1)
    return int(signals.sum()), int(np.where(signals, above.argmax(axis=1) + 1, above.shape[1]).sum())


def _count(statistics: Statistics, thresholds: Thresholds, calibration: Calibration) -> FalseEvents:
    """Count signals and windows of one detector."""
    window = calibration.window
    n_signals, n_at_risk = _count_signals(statistics, thresholds)
    plan = _plan(calibration)
    beyond = statistics[:, ::window] > thresholds.confirming_threshold(plan.share)
    # The window after a signal, which does not confirm it, must pass before the next one.
    rows_between = n_at_risk / max(n_signals, 1) + window
    expected = _DAYS * SECONDS_PER_DAY * _ROWS_PER_SECOND / rows_between * float(beyond.mean()) ** plan.n_windows
    return FalseEvents(n_signals, n_at_risk, int(beyond.sum()), beyond.size, expected)


def tabulate_outlier_runs(
    populations: Mapping[str, NDArray[np.float64]], n_draws: int, sizes: tuple[int, ...]
) -> Iterator[str]:
    """Measure the run length of ``outlier_rate``, which takes labels only; each draw has other training rows."""
    yield "| rows | training rows | draws | run length / ERT: mean (its standard error) | least to greatest |"
    yield "|---|--:|--:|--:|--:|"
    window, run_time = _DEFAULTS.window, _DEFAULTS.expected_run_time
    for name, population in populations.items():
        for n_training in sizes:
            runs = []
            for seed in range(n_draws):
                trained, generator = Trained.on(population, n_training, seed), np.random.default_rng([seed, 2])
                share = float((trained.training.labels < 0).mean())
                thresholds = find_outlier_rate_thresholds(share, n_training, window, run_time)
                labels = generator.choice(trained.population.labels, (_N_STREAMS, run_time))
                n_signals, n_at_risk = _count_signals(_share_outliers(labels, share, window, generator), thresholds)
                runs.append(n_at_risk / max(n_signals, 1) / run_time)
            mean = f"{np.mean(runs):.2f} ({np.std(runs, ddof=1) / n_draws**0.5:.2f})"
            yield f"| {name} | {n_training:,} | {n_draws} | {mean} | {min(runs):.2f} to {max(runs):.2f} |"


def _plan(calibration: Calibration) -> Confirmation:
    """Plan with the service's default settings."""
    return plan_confirmation(calibration.expected_run_time, _ROWS_PER_SECOND, _DAYS, len(DETECTORS))


def tabulate_window_events(
    populations: Mapping[str, NDArray[np.float64]], n_draws: int, sizes: tuple[int, ...]
) -> Iterator[str]:
    """Estimate false events and run lengths; each draw has other training rows."""
    yield (
        "| rows | training rows | draws | days of rows | false events in 30 days: "
        + " | ".join(f"`{name}`" for name in DETECTORS)
        + " | together (95 % interval) | largest draw | "
        + "run length / ERT: "
        + " | ".join(f"`{name}`" for name in DETECTORS)
        + " |"
    )
    yield "|---|" + "--:|" * (2 * len(DETECTORS) + 5)
    for name, population in populations.items():
        for n_training in sizes:
            draws = []
            for seed in range(n_draws):
                trained = Trained.on(population, n_training, seed)
                calibration = trained.calibrate()
                draws.append(estimate_false_events(trained, calibration, seed))
            yield f"| {name} | {n_training:,} | {format_draws(draws, calibration)} |"


def format_draws(draws: list[dict[str, FalseEvents]], calibration: Calibration) -> str:
    """Return the columns of one row of the table, from all draws."""
    plan = _plan(calibration)
    each = np.array([[draw[name].expected for name in DETECTORS] for draw in draws])
    variances = np.array([[draw[name].variance(plan.n_windows) for name in DETECTORS] for draw in draws])
    together = each.sum(axis=1)
    error = _ERRORS * np.sqrt(variances.sum()) / len(draws)
    n_rows = sum(draw[DETECTORS[0]].n_windows for draw in draws) * calibration.window
    runs = [np.mean([draw[name].run_length for draw in draws]) / calibration.expected_run_time for name in DETECTORS]
    return " | ".join(
        [
            f"{len(draws)}",
            f"{n_rows / _ROWS_PER_SECOND / SECONDS_PER_DAY:.1f}",
            *(f"{events:.3f}" for events in each.mean(axis=0)),
            f"{together.mean():.2f} ({max(together.mean() - error, 0):.2f} to {together.mean() + error:.2f})",
            f"{together.max():.2f}",
            *(f"{run:.2f}" for run in runs),
        ]
    )
