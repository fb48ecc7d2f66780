"""``python -m benchmarks.run``: measure servers in turns, each on one core, with the load on another.

A turn starts a server, compares its answers with scikit-learn's, sends requests for single predictions with score by
wrk, and stops the server. Each round measures every server once, so that a slow phase of the machine affects all.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks import wrk
from benchmarks.alone import AnotherRuns, alone_on_machine
from benchmarks.contestants import OURS, PEERS, ROOT, WORKER_CLASSES, Contestant, choose
from benchmarks.machine import circumstances
from benchmarks.measurements import Measurements
from benchmarks.results_page import write_results
from benchmarks.results_table import results_table
from benchmarks.trained_model import CannotTrain, train
from benchmarks.wrk import ProgramMissing

# For each group of contestants: its block in README.md, and its title.
_TABLES = (("servers", "Servers", PEERS), ("worker classes", "Worker classes of the service", (OURS, *WORKER_CLASSES)))


def describe(measurements: Measurements, group: Sequence[Contestant]) -> str:
    """Return one table per number of connections, with those of a group that were measured."""
    present = [contestant for contestant in group if contestant in measurements.contestants]
    tables = [
        f"{count} connections:\n\n{results_table(present, samples, measurements.failures, OURS.name)}"
        for count, samples in measurements.samples.items()
    ]
    return "\n\n".join(tables)


def describe_others(measurements: Measurements) -> str:
    """Describe how much other programs used the machine."""
    shares = measurements.others_shares
    if not shares:
        return "Nothing was measured."
    return f"Other programs took {median(shares):.0%} (at most {max(shares):.0%}) of the servers' core."


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write into ``README.md`` if requested."""
    options = _parse(arguments)
    server_core, load_core = _two_cores()
    wrk.find_programs()
    measurements = Measurements(options.servers, options.connections, options.seconds, (server_core, load_core))
    with alone_on_machine(), tempfile.TemporaryDirectory(prefix="isowatch-bench-") as folder:
        work = Path(folder)
        model = train(options.train, work / "models")
        measurements.install()
        for number in range(1, options.rounds + 1):
            print(f"Round {number} of {options.rounds}", flush=True)
            measurements.play_round(model, work)
    typed = f"python -m benchmarks.run {shlex.join(sys.argv[1:] if arguments is None else arguments)}".rstrip()
    versions = ", ".join(f"{package} {version}" for package, version in sorted(measurements.versions.items()))
    about = (
        f"{options.rounds} rounds of {options.seconds} s: median (least to greatest). {describe_others(measurements)} "
        + circumstances(typed, versions)
    )
    for block, title, group in _TABLES:
        if any(contestant in options.servers for contestant in group if contestant is not OURS):
            results = f"{about}\n\n{describe(measurements, group)}"
            print(f"\n{title}\n\n{results}")
            if options.write:
                write_results(block, results)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--servers", type=_contestants, default=choose(""), metavar="NAMES", help="which, separated by commas (all)"
    )
    parser.add_argument("--rounds", type=_count, default=5, help="turns of each server (%(default)s)")
    parser.add_argument("--seconds", type=_count, default=10, help="of each measurement (%(default)s)")
    parser.add_argument(
        "--connections", type=_counts, default=[8, 64], metavar="NUMBERS", help="clients at a time (8,64)"
    )
    parser.add_argument(
        "--train", type=Path, default=ROOT / "data" / "train.csv", metavar="FILE", help="training rows (data/train.csv)"
    )
    parser.add_argument("--write", action="store_true", help="write the results into benchmarks/README.md")
    return parser.parse_args(arguments)


def _contestants(text: str) -> tuple[Contestant, ...]:
    """Parse the names of contestants."""
    try:
        return choose(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    """Parse a number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


def _counts(text: str) -> list[int]:
    """Parse numbers separated by commas."""
    return [_count(part) for part in text.split(",")]


def _two_cores() -> tuple[int, int]:
    """Choose a core for the server and one for the load."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ProgramMissing("A server and its load need a core each, but this process may use only one: allow it two.")
    return cores[0], cores[1]


if __name__ == "__main__":
    # Like Ctrl-C, SIGTERM also stops the running server.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(main())
    except (AnotherRuns, CannotTrain, ProgramMissing) as problem:
        sys.exit(f"benchmarks: {problem}")
