"""``python -m benchmarks.measured``: run the benchmarks behind README's table "Measured", and print the table.

Each row names the command that measures it; this program runs those commands one after another and takes the figures
from the tables that they print.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import running_server
from benchmarks.contestants import ROOT
from benchmarks.results_page import write_results

# Rows of printed tables: their cells, without the outer bars.
Table = list[list[str]]

# A cell of the line below a table's head.
_RULE = re.compile(r":?-+:?")

# Longer than the longest benchmark on a slow machine.
_COMMAND_SECONDS = 3600

# Time for `make run` to install everything, train and serve.
_START_SECONDS = 900


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Parameters
    ----------
    what
        The first cell.
    command
        Modules and options of a benchmark, without ``python -m``.
    describe
        Return the second cell for the rows of the tables that the command printed.
    """

    what: str
    command: str
    describe: Callable[[Table], str]


def read_tables(output: str) -> Table:
    r"""Return the rows of all Markdown tables in a text.

    Examples
    --------
    >>> read_tables("Round 1\n| server | us |\n|---|--:|\n| ours | 380 (370 to 390) |\n")
    [['server', 'us'], ['ours', '380 (370 to 390)']]
    """
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in output.splitlines() if line[:1] == "|"]
    return [row for row in rows if not all(_RULE.fullmatch(cell) for cell in row)]


def cells(table: Table, title: str, column: int) -> list[str]:
    """Return a column of all rows with a title.

    Raises
    ------
    LookupError
        If no row has the title: the benchmark printed something else.
    """
    found = [row[column] for row in table if row[0] == title and len(row) > column]
    if not found:
        raise LookupError(f"no table has a row {title!r}")
    return found


def describe_requests(table: Table) -> str:
    """Describe the processor time of single predictions at 8 and at 64 connections."""
    ours = cells(table, "Isowatch, as shipped", 2)
    silent = cells(table, "FastAPI, uvloop, our forest, Prometheus; no log", 2)
    logged = cells(table, "the same with uvicorn's access log", 2)
    return "; ".join(
        f"{connections} connections: {own} us, FastAPI without records and log {other} us, with its log {with_log} us"
        for connections, own, other, with_log in zip((8, 64), ours, silent, logged, strict=True)
    )


def describe_forest(table: Table) -> str:
    """Describe the compiled forest against scikit-learn."""
    one, many = cells(table, "compiled kernel: label and score", 1)
    times_one, _ = cells(table, "`predict`: label", 2)
    _, times_many = cells(table, "`score_samples`: score", 2)
    return (
        f"one row {one} us, {times_one} times as fast as `predict`; 10,000 rows: {many} rows/s, {times_many} times "
        "`score_samples`"
    )


def describe_recorder(table: Table) -> str:
    """Describe what a row costs the recorder, and what the recorder costs a request."""
    [cost], [without] = cells(table, "recorder at work", 5), cells(table, "no records", 5)
    [p99], [p99_alone] = cells(table, "recorder at work", 3), cells(table, "no recorder", 3)
    return f"{cost} us a row, {without} us without records; p99 of requests {p99} ms, without a recorder {p99_alone} ms"


def describe_drift(table: Table) -> str:
    """Describe the detectors' cost and the mean run lengths."""
    cost = ", ".join(row[1].split(" us")[0] for row in table if row[0].startswith("rows at a time"))
    ratios = [float(found[1]) for row in table if len(row) == 5 and (found := re.match(r"\*\*([\d.]+)\*\*", row[2]))]
    return (
        f"{cost} us a row (1, 10 and 100 rows at a time); mean run between false drift signals {min(ratios)} to "
        f"{max(ratios)} times `--drift-ert`"
    )


def describe_quality(table: Table) -> str:
    """Describe the coverage of the intervals, without that of naive recall."""
    shares = [float(found[1]) for row in table for cell in row[1:-1] if (found := re.match(r"\*\*([\d.]+)\*\*", cell))]
    return f"contain the true value in {min(shares):.1%} to {max(shares):.1%} of simulated years"


FIGURES = (
    Figure(
        "single predictions, one core, records and log written: processor time per request, all processes",
        "benchmarks.run --servers ours,fastapi_compiled,fastapi_compiled_logged --rounds 5 --seconds 5",
        describe_requests,
    ),
    Figure("the forest without HTTP, one thread", "benchmarks.forest", describe_forest),
    Figure("recorder and writer, 1,700 rows/s", "benchmarks.recorder --rounds 5", describe_recorder),
    Figure("drift detectors", "benchmarks.drift --only cost,promise --runs 100", describe_drift),
    Figure("95 % intervals of quality figures", "benchmarks.quality --years 500", describe_quality),
)


def measure(figure: Figure, train: Path, models: Path) -> str:
    """Run a benchmark and return its row of the table; its output is also printed.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    module, *options = figure.command.split()
    # Those that need rows take the file, the recorder's takes bundles, and quality is simulated.
    if module in ("benchmarks.run", "benchmarks.forest", "benchmarks.drift"):
        options += ["--train", str(train)]
    elif module == "benchmarks.recorder":
        options += ["--models", str(models)]
    done = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    print(done.stdout, flush=True)
    if done.returncode:
        raise RuntimeError(f"python -m {figure.command} failed with {done.returncode}")
    return f"| {figure.what} | {figure.describe(read_tables(done.stdout))} | `python -m {figure.command}` |"


def measure_first_answer() -> str:
    """Run ``make run`` in a fresh clone, and return how long its first prediction takes."""
    [port] = running_server.free_ports(1)
    with tempfile.TemporaryDirectory(prefix="isowatch-clone-") as folder:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), folder], check=True)
        started = time.monotonic()
        service = subprocess.Popen(
            ["make", "run", f"BIND=127.0.0.1:{port}"], cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            while not _is_answered(f"http://127.0.0.1:{port}/prediction"):
                if service.poll() is not None or time.monotonic() - started > _START_SECONDS:
                    raise RuntimeError("make run did not start the service")
                time.sleep(0.1)
            seconds = time.monotonic() - started
        finally:
            running_server.stop(service)
    return f"| fresh clone to first prediction, packages cached | {seconds:.0f} s | `make run` |"


def _is_answered(url: str) -> bool:
    """Return whether a prediction is answered."""
    request = urllib.request.Request(
        url, data=b'{"feature_vector": [0.56, 0.23]}', headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write into the project's ``README.md`` if requested."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measured", description=__doc__, allow_abbrev=False)
    parser.add_argument("--train", type=Path, default=ROOT / "data" / "train.csv", metavar="FILE", help="training rows")
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="a folder of bundles (%(default)s)")
    parser.add_argument("--without-clone", action="store_true", help="skip the fresh clone, which installs packages")
    parser.add_argument("--write", action="store_true", help="write the table into README.md")
    options = parser.parse_args(arguments)
    rows = [] if options.without_clone else [measure_first_answer()]
    rows += [measure(figure, options.train.resolve(), options.models.resolve()) for figure in FIGURES]
    table = "\n".join(["| what | result | command |", "|---|---|---|", *rows])
    print(table)
    if options.write:
        write_results("measured", table, ROOT / "README.md")
    return 0


if __name__ == "__main__":
    # Like Ctrl-C, SIGTERM also stops the running benchmark.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(main())
    except (LookupError, RuntimeError) as problem:
        sys.exit(f"benchmarks: {problem}")
