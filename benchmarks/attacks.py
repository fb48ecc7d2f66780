"""``python -m benchmarks.attacks``: measure how much attacks delay the answers to a client that does nothing wrong.

The service runs as shipped with two workers on one core; the attacker and the healthy client share another. A round
measures the client without an attack and with each of them, in turns, so that a slow phase of the machine affects all.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks import running_server, wrk
from benchmarks.alone import AnotherRuns, alone_on_machine
from benchmarks.contestants import OURS, ROOT, body_lines
from benchmarks.environments import CannotInstall, prepare, version_of
from benchmarks.machine import circumstances
from benchmarks.results_page import write_results
from benchmarks.results_table import ratio, spread
from benchmarks.running_server import ServerFailed
from benchmarks.trained_model import CannotTrain, train
from benchmarks.wrk import LoadFailed, NothingAnswered, ProgramMissing, Sample
from tests.system.attacks import ATTACKS

ATTACKER = ROOT / "tests" / "system" / "attacks.py"

PEACE = "none"

# A healthy client of this many connections, each pausing between its requests, leaves the workers half idle: what is
# measured is delay and not capacity.
_CONNECTIONS, _PAUSE_MS = 8, 10

# Opening the connections is a load of its own: 200 answers of 1.7 MB take a core more than two seconds. It should be
# over before the measurement.
_SETTLE_SECONDS = 5

# The attack ends this much after the measurement.
_MARGIN_SECONDS = 5

# The attacker shares the healthy client's core, and must not be what delays it.
_NICENESS = 10

_WARM_UP_SECONDS = 1

Samples = Mapping[str, Sequence[Sample]]


def describe(samples: Samples) -> str:
    """Return the table in Markdown: medians with minimum and maximum, and p99 relative to that without an attack.

    Examples
    --------
    >>> heads, bodies = [Sample(690, 1, 6, 0, 1)], []
    >>> print(describe({"none": [Sample(700, 1, 4, 0, 0)], "8 slow heads": heads, "200 slow bodies": bodies}))
    | attack | p50 ms | p99 ms | times | requests/s | failed |
    |---|--:|--:|--:|--:|--:|
    | none | 1.0 | 4.0 | 1.00 | 700 | 0 |
    | 8 slow heads | 1.0 | 6.0 | 1.50 | 690 | 1 |
    | 200 slow bodies | nobody was answered | | | | |
    """
    lines = ["| attack | p50 ms | p99 ms | times | requests/s | failed |", "|---|--:|--:|--:|--:|--:|"]
    peaceful = median(sample.p99_ms for sample in samples[PEACE])
    for title, measured in samples.items():
        if not measured:
            lines.append(f"| {title} | nobody was answered | | | | |")
            continue
        p99 = [sample.p99_ms for sample in measured]
        cells = [
            title,
            spread([sample.p50_ms for sample in measured], digits=1),
            spread(p99, digits=1),
            ratio(median(p99), peaceful),
            spread([sample.requests_per_second for sample in measured]),
            str(sum(sample.refused + sample.broken for sample in measured)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def title_of(name: str, count: int) -> str:
    """Return an attack in words.

    Examples
    --------
    >>> title_of("slow_heads", 2000), title_of("resets", 334)
    ('2,000 slow heads', '334 resets a second')
    """
    per_second = " a second" if name in ("lingering_closes", "resets") else ""
    return f"{count:,} {name.replace('_', ' ')}{per_second}"


@contextmanager
def attacking(name: str, count: int, port: int, seconds: int, core: int) -> Iterator[None]:
    """Attack while the block runs.

    Raises
    ------
    LoadFailed
        If the attacker fails.
    """
    command = [*("taskset", "--cpu-list", str(core)), *("nice", "-n", str(_NICENESS)), sys.executable, str(ATTACKER)]
    numbers = (str(count), str(port), str(_SETTLE_SECONDS + seconds + _MARGIN_SECONDS))
    with subprocess.Popen([*command, name, *numbers], stdout=subprocess.PIPE, text=True) as attacker:
        assert attacker.stdout is not None
        if attacker.stdout.readline() != "attacking\n":
            raise LoadFailed(f"the attack {name} did not begin")
        try:
            time.sleep(_SETTLE_SECONDS)
            yield
            if attacker.poll() is not None:
                raise LoadFailed(f"the attack {name} ended before the measurement")
        finally:
            attacker.kill()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write into ``README.md`` if requested."""
    options = _parse(arguments)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ProgramMissing("The service and its clients need a core each, but this process may use only one.")
    wrk.find_programs()
    server_core, load_core = cores[:2]
    samples: dict[str, list[Sample]] = {}
    with alone_on_machine(), tempfile.TemporaryDirectory(prefix="isowatch-bench-") as folder:
        work = Path(folder)
        model = train(options.train, work / "models")
        programs = prepare(OURS.venv, OURS.locks)
        bodies = work / "bodies"
        bodies.write_text(body_lines(OURS.interface, model.rows.tolist()), encoding="utf-8")
        service = replace(OURS, environment={"WEB_CONCURRENCY": "2"})
        with running_server.start(service, programs, model, work, server_core) as server:
            url = f"http://127.0.0.1:{server.port}{OURS.interface.path}"

            def measure(seconds: int) -> Sample:
                return wrk.measure(url, bodies, _CONNECTIONS, seconds, load_core, _PAUSE_MS)

            measure(_WARM_UP_SECONDS)
            for number in range(1, options.rounds + 1):
                print(f"Round {number} of {options.rounds}", flush=True)
                samples.setdefault(PEACE, []).append(measure(options.seconds))
                for name, count in ATTACKS:
                    attack = samples.setdefault(title_of(name, count), [])
                    try:
                        with attacking(name, count, server.port, options.seconds, load_core):
                            attack.append(measure(options.seconds))
                    except NothingAnswered as outcome:
                        print(f"{title_of(name, count):<30} {outcome}", flush=True)
                    else:
                        print(f"{title_of(name, count):<30} p99 {attack[-1].p99_ms:.1f} ms", flush=True)
    typed = f"python -m benchmarks.attacks {shlex.join(sys.argv[1:] if arguments is None else arguments)}".rstrip()
    about = f"{options.rounds} rounds of {options.seconds} s: median (least to greatest). " + circumstances(
        typed, f"gunicorn {version_of(programs, OURS.package)}"
    )
    results = f"{about}\n\n{describe(samples)}"
    print(f"\n{results}")
    if options.write:
        write_results("attacks", results)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each attack (%(default)s)")
    parser.add_argument("--seconds", type=int, default=30, help="of each measurement (%(default)s)")
    parser.add_argument(
        "--train", type=Path, default=ROOT / "data" / "train.csv", metavar="FILE", help="training rows (data/train.csv)"
    )
    parser.add_argument("--write", action="store_true", help="write the results into benchmarks/README.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    # Like Ctrl-C, SIGTERM also stops the running service and the attacker.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(main())
    except (AnotherRuns, CannotInstall, CannotTrain, LoadFailed, ProgramMissing, ServerFailed) as problem:
        sys.exit(f"benchmarks: {problem}")
