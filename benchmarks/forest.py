"""``python -m benchmarks.forest``: the compiled forest against scikit-learn, in one process on one thread, in turns."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from app.model.bundle import read_bundle
from app.model.forest import Forest
from app.model.kernels import CompiledKernel, KernelNotBuilt, NumpyKernel
from benchmarks.alone import AnotherRuns, alone_on_machine
from benchmarks.contestants import ROOT
from benchmarks.environments import version_of
from benchmarks.machine import circumstances
from benchmarks.results_page import write_results
from benchmarks.results_table import ratio, spread
from benchmarks.trained_model import CannotTrain, draw_batch, train

# The limit of POST /predictions.
_BATCH_ROWS = 10_000

# Calls per round with one row: enough for the median to show the steady state.
_FAST_CALLS, _SLOW_CALLS = 2000, 30

Rows = NDArray[np.float64]
Scorer = Callable[[Rows], Any]

COMPILED, NUMPY = "compiled kernel: label and score", "NumPy kernel: label and score"
PREDICT, SCORE_SAMPLES, BOTH = "`predict`: label", "`score_samples`: score", "`predict` and `score_samples`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write into ``README.md`` if requested."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forest", description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each scorer (%(default)s)")
    parser.add_argument(
        "--train", type=Path, default=ROOT / "data" / "train.csv", metavar="FILE", help="training rows (data/train.csv)"
    )
    parser.add_argument("--write", action="store_true", help="write the results into benchmarks/README.md")
    options = parser.parse_args(arguments)
    # On one core, so that threads of libraries cannot use a second one.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with alone_on_machine(), tempfile.TemporaryDirectory(prefix="isowatch-bench-") as folder:
        model = train(options.train, Path(folder) / "models")
        forest = read_bundle(model.bundles / "current").forest
        estimator = joblib.load(model.estimator_file)
        scorers = scorers_of(forest, estimator)
        batch = draw_batch(model.training_rows, _BATCH_ROWS)
        results = describe(*measure(scorers, model.rows, batch, options.rounds))
    typed = f"python -m benchmarks.forest {shlex.join(sys.argv[1:] if arguments is None else arguments)}".rstrip()
    programs = Path(sys.executable).parent
    versions = ", ".join(f"{package} {version_of(programs, package)}" for package in ("numpy", "scikit-learn"))
    about = f"{options.rounds} rounds: median (least to greatest). {circumstances(typed, versions)}"
    print(f"\n{about}\n\n{results}")
    if options.write:
        write_results("forest", f"{about}\n\n{results}")
    return 0


def scorers_of(forest: Forest, estimator: Any) -> dict[str, Scorer]:
    """Return everything that is measured, by name; for label and score, scikit-learn needs two calls.

    Raises
    ------
    KernelNotBuilt
        If there is no compiled kernel to measure.
    """
    return {
        COMPILED: Forest(forest.arrays, forest.threshold, CompiledKernel).score_and_label,
        NUMPY: Forest(forest.arrays, forest.threshold, NumpyKernel).score_and_label,
        PREDICT: estimator.predict,
        SCORE_SAMPLES: estimator.score_samples,
        BOTH: lambda rows: (estimator.predict(rows), estimator.score_samples(rows)),
    }


def measure(
    scorers: Mapping[str, Scorer], rows: Rows, batch: Rows, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Measure the scorers in turns.

    Parameters
    ----------
    scorers
        By name.
    rows
        Shape ``(n_rows, n_features)``; scored one at a time, round and round.
    batch
        Shape ``(n_rows, n_features)``; scored as a whole.
    rounds
        Number of turns of each scorer.

    Returns
    -------
    Microseconds for one row, and rows per second in the batch; by name, one value per round.
    """
    microseconds: dict[str, list[float]] = {name: [] for name in scorers}
    rows_per_second: dict[str, list[float]] = {name: [] for name in scorers}
    singles = [rows[index : index + 1] for index in range(len(rows))]
    for _ in range(rounds):
        for name, scorer in scorers.items():
            calls = _FAST_CALLS if name in (COMPILED, NUMPY) else _SLOW_CALLS
            microseconds[name].append(1e6 * median(_seconds(scorer, singles[i % len(singles)]) for i in range(calls)))
            rows_per_second[name].append(len(batch) / _seconds(scorer, batch))
    return microseconds, rows_per_second


def describe(microseconds: Mapping[str, list[float]], rows_per_second: Mapping[str, list[float]]) -> str:
    """Return both tables in Markdown; the ratios are how many times faster the compiled kernel is."""
    lines = ["| one row | us | compiled is faster, times |", "|---|--:|--:|"]
    fastest = median(microseconds[COMPILED])
    lines += [
        f"| {name} | {spread(figures, digits=1)} | {ratio(median(figures), fastest)} |"
        for name, figures in microseconds.items()
    ]
    lines += ["", f"| {_BATCH_ROWS:,} rows | rows/s | compiled is faster, times |", "|---|--:|--:|"]
    most = median(rows_per_second[COMPILED])
    lines += [
        f"| {name} | {spread(figures)} | {ratio(most, median(figures))} |" for name, figures in rows_per_second.items()
    ]
    return "\n".join(lines)


def _seconds(scorer: Scorer, rows: Rows) -> float:
    """Time one call."""
    started = time.perf_counter()
    scorer(rows)
    return time.perf_counter() - started


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (AnotherRuns, CannotTrain, KernelNotBuilt) as problem:
        sys.exit(f"benchmarks: {problem}")
