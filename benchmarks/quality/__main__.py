"""Measure the coverage of intervals and print the tables of README.md: ``python -m benchmarks.quality``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from app.quality.estimate import estimate_quality
from app.quality.labels import LabelledAnswers
from benchmarks.quality.broken_assumptions import tabulate_habits
from benchmarks.quality.coverage import Coverage, FigureCoverage, measure_coverage
from benchmarks.quality.scenarios import SCENARIOS

# Without the false-negative rate: it is one minus recall, so its interval has the same coverage.
_SHOWN = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__, allow_abbrev=False)
    parser.add_argument("--years", type=int, default=2000, help="years or windows of each scenario (%(default)s)")
    options = parser.parse_args(arguments)
    coverages = {scenario.name: measure_coverage(scenario, options.years) for scenario in SCENARIOS}
    for lines in (
        _tabulate_labels(coverages),
        _tabulate_figures(coverages),
        tabulate_habits(options.years),
        _tabulate_cost(),
    ):
        print()
        for line in lines:
            print(line, flush=True)
    return 0


def _tabulate_labels(coverages: dict[str, Coverage]) -> Iterator[str]:
    """Tabulate the mean number of labels in a year."""
    yield "| scenario | labelled alarms | audited inliers | misses among them |"
    yield "|---|--:|--:|--:|"
    for name, each in coverages.items():
        yield f"| {name} | {each.mean_labelled_alarms:,.0f} | {each.mean_audited:,.0f} | {each.mean_misses:,.1f} |"


def _tabulate_figures(coverages: dict[str, Coverage]) -> Iterator[str]:
    """Tabulate the share of intervals that contain the true value, and their mean width."""
    yield "| scenario | " + " | ".join(_SHOWN.values()) + " | naive recall |"
    yield "|---|" + "--:|" * (len(_SHOWN) + 1)
    for name, each in coverages.items():
        cells = [_cell(each.figures[figure]) for figure in _SHOWN]
        yield f"| {name} | {' | '.join(cells)} | {_cell(each.naive_recall)} |"


def _cell(coverage: FigureCoverage) -> str:
    """Format the coverage and the mean width."""
    return f"**{coverage.share:.3f}** ({coverage.mean_width:.2f})" if coverage.n_known else "never enough labels"


def _tabulate_cost() -> Iterator[str]:
    """Measure the CPU time of all figures of one group."""
    yield "| labelled alarms, audited inliers | CPU time |"
    yield "|---|--:|"
    for n_alarms, n_audited in ((100, 100), (5_000, 2_000), (100_000, 20_000)):
        answers = _many_answers(n_alarms, n_audited)
        costs = []
        for _ in range(10):
            started = time.process_time()
            estimate_quality(answers)
            costs.append(1000 * (time.process_time() - started))
        yield f"| {n_alarms:,}, {n_audited:,} | {np.median(costs):.0f} ms |"


def _many_answers(n_alarms: int, n_audited: int) -> LabelledAnswers:
    """Make labels without equal scores and with outliers at all scores, which are the slowest to evaluate."""
    generator = np.random.default_rng(0)
    return LabelledAnswers(
        2 * n_alarms,
        1000 * n_audited,
        generator.uniform(-0.8, -0.5, n_alarms),
        generator.random(n_alarms) < 0.5,
        generator.uniform(-0.5, -0.3, n_audited),
        generator.random(n_audited) < 0.2,
        np.full(n_audited, 0.001),
    )


if __name__ == "__main__":
    sys.exit(main())
