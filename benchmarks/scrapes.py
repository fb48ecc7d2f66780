"""Measure how scrapes affect predictions, and print a table: ``python -m benchmarks.scrapes``.

Two workers and the recorder share one core, the load and the scrapes have another. Measurements with and without a
scrape a second alternate on the same running service. With a pause of 4 ms, 8 clients send about 1,700 requests per
second; Prometheus scrapes every five seconds as configured here, so once a second is a hard case.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import wrk
from benchmarks.alone import AnotherRuns, alone_on_machine
from benchmarks.contestants import ROOT
from benchmarks.recorder.__main__ import BODY, NothingScored, check, running_service, tabulate
from benchmarks.wrk import Sample

_WITH, _WITHOUT = "a scrape a second", "no scrapes"

_SCRAPE_PERIOD_SECONDS = 1.0

# The first scrapes parse the keys of all files.
_WARM_UP_SECONDS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scrapes", description=__doc__, allow_abbrev=False)
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="a folder of bundles (%(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="measurements of each kind (%(default)s)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a measurement (%(default)s)")
    parser.add_argument("--connections", type=int, default=8, help="concurrent clients (%(default)s)")
    parser.add_argument("--pause", type=int, default=4, help="ms between two requests of a client (%(default)s)")
    options = parser.parse_args(arguments)
    if not (options.models / "current").exists():
        print(f"{options.models} has no current model: make one with `make train`, or name --models.", file=sys.stderr)
        return 1
    service_core, load_core = sorted(os.sched_getaffinity(0))[:2]
    samples: dict[str, list[Sample]] = {_WITH: [], _WITHOUT: []}
    durations: list[float] = []
    try:
        with alone_on_machine(), tempfile.TemporaryDirectory() as folder:
            bodies = Path(folder, "bodies")
            bodies.write_text(BODY, encoding="ascii")
            with running_service(options.models.resolve(), Path(folder), service_core, "all") as (url, _):
                measure = partial(wrk.measure, url, bodies, options.connections, core=load_core, pause_ms=options.pause)
                os.sched_setaffinity(0, {load_core})  # of the scrapes
                with _scrapes(url, []):
                    measure(_WARM_UP_SECONDS)
                for number in range(options.rounds):
                    # First one, then the other, so that changes of the machine's load favour none.
                    for name in (_WITH, _WITHOUT) if number % 2 else (_WITHOUT, _WITH):
                        if name == _WITH:
                            with _scrapes(url, durations):
                                sample = measure(options.seconds)
                        else:
                            sample = measure(options.seconds)
                        check(sample)
                        samples[name].append(sample)
                        print(f"{number + 1:>3} {name:<18} {sample}", file=sys.stderr, flush=True)
    except (AnotherRuns, NothingScored) as reason:
        print(reason, file=sys.stderr)
        return 1
    for line in tabulate(samples):
        print(line)
    print(f"\np99 with a scrape a second, times that without: {ratio_of_p99(samples[_WITH], samples[_WITHOUT]):.2f}")
    print(f"median scrape, seen by the client: {1000 * median(durations):.1f} ms")
    return 0


def ratio_of_p99(with_scrapes: Sequence[Sample], without: Sequence[Sample]) -> float:
    """Return the median ratio of p99 within a round: neighbours in time have the same disturbances.

    Examples
    --------
    >>> ratio_of_p99([Sample(1, 1, 4.4, 0, 0)] * 3, [Sample(1, 1, 4.0, 0, 0)] * 3)
    1.1
    """
    pairs = zip(with_scrapes, without, strict=True)
    return median(round(scraped.p99_ms / alone.p99_ms, 3) for scraped, alone in pairs)


@contextmanager
def _scrapes(url: str, durations: list[float]) -> Iterator[None]:
    """Scrape once a second while the block runs, and collect how long each took, in seconds."""
    is_over = threading.Event()
    address = url.replace("/prediction", "/metrics")

    def scrape() -> None:
        while not is_over.wait(_SCRAPE_PERIOD_SECONDS):
            started = time.perf_counter()
            with urllib.request.urlopen(address, timeout=10) as answer:
                answer.read()
            durations.append(time.perf_counter() - started)

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
