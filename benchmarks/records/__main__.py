"""Measure the writer of records, and print tables: ``python -m benchmarks.records``.

A real recorder runs on one core; its rows are sent from another at a constant rate, as single-row requests. With
``--find``, a database is filled with that many rows, and rows are looked up by request id in random order, as for
labels.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.alone import AnotherRuns, alone_on_machine
from benchmarks.records.lookup import measure_lookup
from benchmarks.records.writing import Written, measure_writing


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.records", description=__doc__, allow_abbrev=False)
    parser.add_argument("--rate", type=int, default=5000, help="rows per second (%(default)s)")
    parser.add_argument("--seconds", type=int, default=20, help="length of a measurement (%(default)s)")
    parser.add_argument("--database", help="a DATABASE_URL without records; by default an SQLite file")
    parser.add_argument("--folder", type=Path, help="folder for temporary SQLite files")
    parser.add_argument("--find", type=int, metavar="ROWS", help="look rows up among so many instead")
    options = parser.parse_args(arguments)
    recorder_core, load_core = sorted(os.sched_getaffinity(0))[:2]
    try:
        with alone_on_machine(), tempfile.TemporaryDirectory(dir=options.folder) as folder:
            if options.find:
                print(measure_lookup(Path(folder), options.find))
                return 0
            os.sched_setaffinity(0, {load_core})
            print("| ids | rows/s sent | not sent | dropped | not recorded | recorder's CPU | mean ms a batch |")
            print("|---|--:|--:|--:|--:|--:|--:|")
            for name, are_callers in (("our own", False), ("the callers'", True)):
                address = options.database or f"sqlite:///{folder}/{are_callers}/records.db"
                written = measure_writing(
                    address, Path(folder), are_callers, options.rate, options.seconds, recorder_core
                )
                print(_tabulate(name, written), flush=True)
    except AnotherRuns as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


def _tabulate(name: str, written: Written) -> str:
    """Format a measurement.

    Examples
    --------
    >>> _tabulate("our own", Written(100_000, 20.0, 0, 0, 100_000, 3.0, 0.012))
    '| our own | 5000 | 0 | 0 | 0 | 15.0 % | 12.0 |'
    """
    rate, share = written.n_sent / written.seconds, written.cpu_seconds / written.seconds
    return (
        f"| {name} | {rate:.0f} | {written.n_not_sent} | {written.n_dropped} | {written.n_sent - written.n_recorded} "
        f"| {share:.1%} | {1000 * written.batch_seconds:.1f} |".replace("%", " %")
    )


if __name__ == "__main__":
    sys.exit(main())
