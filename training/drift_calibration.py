"""Calibrating the drift detectors: where their lines have to be for the false alarms that were asked for, no more.

The reference rows stay as they are, because the detectors compare with just these. Streams in which nothing changes
are drawn from the other training rows: drawn from the reference itself, they would be closer to it than live rows are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.drift.calibration import DETECTORS, OUTLIER_RATE, Calibration
from training.drift_parameters import DriftParameters
from training.drift_simulation import DriftSimulation, ScoredRows
from training.threshold_search import find_step_threshold, find_thresholds

# More rows say nothing new about thresholds, and each is compared with the whole reference.
_MOST_CALIBRATION_ROWS = 100_000

# The same data give the same lines.
_SEED = 0


def calibrate(
    reference: ScoredRows,
    others: ScoredRows,
    training_outlier_share: float,
    parameters: DriftParameters,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Calibration:
    """Calibrate all detectors.

    Parameters
    ----------
    reference
        What live rows will be compared with.
    others
        Training rows that are not in the reference, at least 2,000.
    training_outlier_share
        Share of all training rows that the model flagged.
    parameters
        What was asked for.
    on_progress
        Called now and then with the part that is done, in [0, 1].
    """
    generator = np.random.default_rng(_SEED)
    if len(others) > _MOST_CALIBRATION_ROWS:
        others = others.take(generator.choice(len(others), _MOST_CALIBRATION_ROWS, replace=False))
    window, run_time = parameters.window, parameters.expected_run_time
    simulation = DriftSimulation(reference, others, training_outlier_share, window, run_time, generator)
    thresholds = {}
    for n_done, name in enumerate(DETECTORS):

        def note_part(part: float, n_done: int = n_done) -> None:
            on_progress((n_done + part) / len(DETECTORS))

        statistics = simulation.run(name, note_part)
        if name == OUTLIER_RATE:
            # Rounding makes one step of two shares that are equally far from training's, above and below it.
            steps = np.unique(np.abs(np.arange(window + 1) / window - training_outlier_share).round(12))
            thresholds[name] = find_step_threshold(statistics, steps, window, run_time)
        else:
            thresholds[name] = find_thresholds(statistics, window, run_time)
    return Calibration(
        reference_rows=reference.rows,
        reference_scores=reference.scores,
        training_outlier_share=training_outlier_share,
        bandwidth=simulation.bandwidth,
        distance_scales=simulation.scales,
        expected_run_time=run_time,
        window=window,
        thresholds=thresholds,
    )
