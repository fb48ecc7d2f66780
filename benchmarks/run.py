"""``python -m benchmarks.run``: servers side by side, each on one core, the load on another, in turns.

A turn starts a server, compares its answers with scikit-learn's, lets wrk ask for single predictions with score, and
ends the server. Each round gives every server one turn, so that a slow minute of the machine falls on all.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks import running_server, wrk
from benchmarks.contestants import OURS, PEERS, ROOT, WORKER_CLASSES, Contestant, body_lines, choose
from benchmarks.core_usage import watch_core
from benchmarks.environments import CannotInstall, prepare, version_of
from benchmarks.machine import circumstances
from benchmarks.results_page import write_results
from benchmarks.results_table import results_table
from benchmarks.running_server import ServerFailed
from benchmarks.trained_model import CannotTrain, TrainedModel, train
from benchmarks.wrk import LoadFailed, ProgramMissing, Sample

# Before each measurement, so that connections are open and caches hold what they will hold.
_WARM_UP_SECONDS = 1

# One group of contestants each: its block in README.md, and its title.
_TABLES = (("servers", "Servers", PEERS), ("worker classes", "Worker classes of the service", (OURS, *WORKER_CLASSES)))


class Measurements:
    """Samples of all contestants, and why some have none.

    Parameters
    ----------
    contestants
        Who takes part.
    connections
        How many clients ask at a time, one measurement each.
    seconds
        How long a measurement takes.
    cores
        For the server and for the load.
    """

    def __init__(
        self, contestants: Sequence[Contestant], connections: Sequence[int], seconds: int, cores: tuple[int, int]
    ) -> None:
        self.contestants, self.connections = contestants, connections
        self._seconds, self._cores = seconds, cores
        self.samples: dict[int, dict[str, list[Sample]]] = {count: defaultdict(list) for count in connections}
        # Of the servers' core, one per measurement.
        self.others_shares: list[float] = []
        self.failures: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self._programs: dict[str, Path] = {}

    def install(self) -> None:
        """Prepare each contestant's environment; one that cannot be installed is skipped."""
        for contestant in self.contestants:
            try:
                self._programs[contestant.name] = prepare(contestant.venv, contestant.locks)
                self.versions[contestant.package] = version_of(self._programs[contestant.name], contestant.package)
            except CannotInstall as reason:
                self._give_up(contestant, f"not installed: {reason}")

    def play_round(self, model: TrainedModel, work: Path) -> None:
        """Give each contestant that has not failed one turn."""
        for contestant in self.contestants:
            if contestant.name not in self.failures:
                try:
                    self._take_turn(contestant, model, work)
                except (ServerFailed, LoadFailed) as reason:
                    self._give_up(contestant, str(reason))

    def _take_turn(self, contestant: Contestant, model: TrainedModel, work: Path) -> None:
        """Start one server, check it, measure it at each number of connections, and end it."""
        bodies = work / f"{contestant.name}.bodies"
        bodies.write_text(body_lines(contestant.interface, model.rows.tolist()), encoding="utf-8")
        server_core, load_core = self._cores
        programs = self._programs[contestant.name]
        with running_server.start(contestant, programs, model, work, server_core) as port:
            url = f"http://127.0.0.1:{port}{contestant.interface.path}"
            for count in self.connections:
                wrk.measure(url, bodies, count, _WARM_UP_SECONDS, load_core)
                with watch_core(server_core) as others:
                    sample = wrk.measure(url, bodies, count, self._seconds, load_core)
                self.others_shares.append(others.value)
                self.samples[count][contestant.name].append(sample)
                print(
                    f"{contestant.name:<24} {count:>3} connections {sample.requests_per_second:>8.0f} requests/s  "
                    f"p50 {sample.p50_ms:.1f} ms  p99 {sample.p99_ms:.1f} ms  "
                    f"{sample.refused} refused  {sample.broken} broken  others {others.value:.0%}",
                    flush=True,
                )

    def _give_up(self, contestant: Contestant, reason: str) -> None:
        """Leave a contestant out of the later rounds."""
        self.failures[contestant.name] = reason
        print(f"{contestant.name:<24} skipped: {reason}", flush=True)


def describe(measurements: Measurements, group: Sequence[Contestant]) -> str:
    """Write one table for each number of connections, about those of a group that took part."""
    present = [contestant for contestant in group if contestant in measurements.contestants]
    tables = [
        f"{count} connections:\n\n{results_table(present, samples, measurements.failures, OURS.name)}"
        for count, samples in measurements.samples.items()
    ]
    return "\n\n".join(tables)


def describe_others(measurements: Measurements) -> str:
    """Say how quiet the machine was."""
    shares = measurements.others_shares
    if not shares:
        return "Nothing was measured."
    return f"Other programs took {median(shares):.0%} (at most {max(shares):.0%}) of the servers' core."


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write into ``README.md`` if asked to."""
    options = _parse(arguments)
    server_core, load_core = _two_cores()
    wrk.find_programs()
    measurements = Measurements(options.servers, options.connections, options.seconds, (server_core, load_core))
    with tempfile.TemporaryDirectory(prefix="isowatch-bench-") as folder:
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
    """Read the command line."""
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
    parser.add_argument("--write", action="store_true", help="put the results into benchmarks/README.md")
    return parser.parse_args(arguments)


def _contestants(text: str) -> tuple[Contestant, ...]:
    """Find contestants by name."""
    try:
        return choose(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    """Read a number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


def _counts(text: str) -> list[int]:
    """Read numbers separated by commas."""
    return [_count(part) for part in text.split(",")]


def _two_cores() -> tuple[int, int]:
    """Choose a core for the server and one for the load."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ProgramMissing("A server and its load need a core each, and this process may use one: allow it two.")
    return cores[0], cores[1]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CannotTrain, ProgramMissing) as problem:
        sys.exit(f"benchmarks: {problem}")
