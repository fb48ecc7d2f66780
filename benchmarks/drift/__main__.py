"""Measure the drift detectors on a table and print the tables of README.md: ``python -m benchmarks.drift``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.drift import sections
from benchmarks.drift.dependent_rows import tabulate_dependent_rows, tabulate_factors
from benchmarks.drift.held_out_rows import Draw
from benchmarks.drift.populations import make_populations
from benchmarks.drift.small_changes import tabulate_false_events, tabulate_small_changes
from benchmarks.drift.starts_and_seasons import tabulate_seasons, tabulate_starts
from benchmarks.drift.window_events import tabulate_outlier_runs, tabulate_window_events
from training.data.dataset import read_training_data

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the chosen sections."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--train",
        type=Path,
        default=ROOT / "data" / "train.csv",
        metavar="FILE",
        help="a table of two features (data/train.csv)",
    )
    parser.add_argument("--draws", type=int, default=5, help="ways to split the table (%(default)s)")
    parser.add_argument("--runs", type=int, default=200, help="runs of each draw (%(default)s)")
    parser.add_argument(
        "--only",
        metavar="A,B",
        help="sections: cost, promise, delays, repetition, events, small, false, factors, dependent, windows, "
        "outliers, starts, seasons",
    )
    options = parser.parse_args(arguments)
    # One core only: threads of a library on a second core would distort the cost.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    table = read_training_data(options.train).rows
    populations = make_populations(table)
    draws = [Draw.of(table, seed) for seed in range(options.draws)]
    fewer = max(1, options.runs // 10)
    available: dict[str, Callable[[], Iterator[str]]] = {
        "cost": lambda: sections.tabulate_cost(draws[0]),
        "promise": lambda: sections.tabulate_promise(draws, options.runs),
        "delays": lambda: sections.tabulate_delays(draws, fewer),
        "repetition": lambda: sections.tabulate_repetition(draws, fewer),
        "events": lambda: sections.tabulate_events(draws, 20 * options.runs, 500 * options.runs),
        "small": lambda: tabulate_small_changes(populations, len(table), fewer),
        "false": lambda: tabulate_false_events(populations, fewer, 50 * options.runs, (4000, len(table))),
        "factors": lambda: tabulate_factors(populations, len(table), fewer * 4),
        "dependent": lambda: tabulate_dependent_rows(populations, len(table), 300 * options.runs),
        "windows": lambda: tabulate_window_events(populations, options.draws, (4000, len(table))),
        "outliers": lambda: tabulate_outlier_runs(populations, 12 * options.draws, (4000, len(table))),
        "starts": lambda: tabulate_starts(populations, 4000, options.runs),
        "seasons": lambda: tabulate_seasons(table, len(table)),
    }
    chosen = options.only.split(",") if options.only else list(available)
    if unknown := [name for name in chosen if name not in available]:
        parser.error(f"--only: there is no section {unknown[0]}; choose from {', '.join(available)}.")
    for name in chosen:
        print(f"\n### {name.capitalize()}\n", flush=True)
        for line in available[name]():
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
