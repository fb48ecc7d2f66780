"""Measure the console among millions of recorded rows, and print tables: ``python -m benchmarks.console``.

A service with one worker records and answers on one core; the client and Chromium run on another. The recorded rows are
multiplied, so alarms have real values and explanations. For each route behind a view: the time until the answer, and
the processor time of the worker. For each view: what it transfers, and when it is first drawn. At last, predictions
with and without two open pages.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import Browser

from benchmarks.alone import AnotherRuns, alone_on_machine
from benchmarks.console.filling import multiply_records
from benchmarks.contestants import ROOT
from tests.system.browser_page import open_page, start_chromium
from tests.system.running_service import RunningService, start_service, wait_until

# Rows that are recorded and then copied: some 20 to 50 alarms, each explained by the recorder before.
_TEMPLATES, _AT_A_TIME = 5000, 50

# The recorder explains alarms with a small share of its core.
_EXPLAIN_SECONDS = 5

# Within the default retention of 30 days.
_DAYS = 29

_VIEWS = ("", "alarms", "review", "threshold", "models", "drift", "quality", "try")

# A pace that leaves the worker half idle: what is measured is delay and not capacity.
_PREDICTIONS, _PAUSE_SECONDS = 1000, 0.005

_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console", description=__doc__, allow_abbrev=False)
    parser.add_argument("--rows", type=int, default=10_000_000, help="recorded rows (%(default)s), 130 bytes each")
    parser.add_argument("--requests", type=int, default=100, help="requests to each route (%(default)s)")
    parser.add_argument("--folder", type=Path, help="folder for temporary files, or with --keep for the database")
    parser.add_argument("--keep", action="store_true", help="keep the files, and use those of an earlier run")
    options = parser.parse_args(arguments)
    if options.keep and options.folder is None:
        parser.error("--keep needs --folder")
    try:
        with alone_on_machine(), tempfile.TemporaryDirectory(dir=options.folder) as temporary:
            _measure(options.folder if options.keep else Path(temporary), options.rows, options.requests)
    except AnotherRuns as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


def _measure(folder: Path, n_rows: int, n_requests: int) -> None:
    """Fill the database unless it is filled, and measure."""
    models, file = folder / "models", folder / "records" / "records.db"
    if not models.exists():
        _train(folder, models)
    if not file.exists():
        with _service(folder, models) as service:
            _record(service, folder / "train.csv")
        print(f"{multiply_records(file, n_rows, _DAYS):,} rows, {file.stat().st_size / 1e9:.2f} GB", flush=True)
    with _service(folder, models) as service:
        worker = psutil.Process(service.workers()[0])
        print("| route | first ms | p50 ms | p95 ms | CPU ms |\n|---|--:|--:|--:|--:|")
        for route, send in _routes(service).items():
            print(f"| `{route}` | {_time(send, n_requests, worker)} |", flush=True)
        chromium = shutil.which("chromium")
        if chromium is None:
            raise SystemExit("Not found: chromium. Install it to measure the pages.")
        with start_chromium(Path(chromium)) as browser:
            print("\n| view | requests | kB transferred | first paint ms |\n|---|--:|--:|--:|")
            for view in _VIEWS:
                print(f"| `/{view}` | {_open(browser, service, view)} |", flush=True)
            print("\n| predictions | p50 ms | p99 ms |\n|---|--:|--:|")
            for _ in range(2):
                print(f"| alone | {_predict(service)} |", flush=True)
                with open_page(browser) as overview, open_page(browser) as alarms:
                    overview.page.goto(service.address)
                    alarms.page.goto(f"{service.address}/alarms")
                    print(f"| with two open pages | {_predict(service)} |", flush=True)


@contextmanager
def _service(folder: Path, models: Path) -> Iterator[RunningService]:
    """Start a service on the first core, and leave the second one to this process."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    try:
        with start_service(folder, models, WEB_CONCURRENCY="1", AUDIT_SHARE="0.01") as service:
            os.sched_setaffinity(0, {cores[-1]})
            yield service
    finally:
        os.sched_setaffinity(0, set(cores))


def _train(folder: Path, models: Path) -> None:
    """Make the example data and a model."""
    python = [sys.executable, "-m"]
    subprocess.run([*python, "training.data.synthetic", "--out", str(folder)], cwd=ROOT, check=True)
    options = ["--contamination", "0.01", "--drift-ert", "300", "--drift-window", "10", "--metrics-port", "0"]
    train = [*python, "training", "train", "--train", str(folder / "train.csv"), "--models", str(models), *options]
    subprocess.run(train, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _record(service: RunningService, table: Path) -> None:
    """Send rows of the training table in three segments, and wait until they are recorded and explained."""
    with table.open(newline="") as file:
        rows = [[float(cell) for cell in line] for line in list(csv.reader(file))[1 : _TEMPLATES + 1]]
    for place in range(0, _TEMPLATES, _AT_A_TIME):
        body = {"feature_vectors": rows[place : place + _AT_A_TIME], "segment": ("web", "DE", "FR")[place % 3]}
        service.session.post(f"{service.address}/predictions", json=body, timeout=30).raise_for_status()
        time.sleep(_PAUSE_SECONDS)
    wait_until(lambda: service.metric("recorder_rows_total", result="recorded") >= _TEMPLATES, "all rows", service)
    time.sleep(_EXPLAIN_SECONDS)


def _routes(service: RunningService) -> dict[str, Callable[[], object]]:
    """Return the requests of all views by route."""

    def get(path: str) -> Callable[[], object]:
        return lambda: service.get(path).raise_for_status()

    def hand_out() -> None:
        answer = service.session.post(f"{service.address}/audit/next?kind=mixed", json={"n": 5}, timeout=30)
        answer.raise_for_status()

    newest = service.get("/alarms?n=1").json()["alarms"][0]
    paths = [
        "/overview",
        "/timeline?window=24h&step=15m",
        "/timeline?window=7d&step=1h",
        "/events?about=changes&n=6",
        "/alarms?n=50",
        "/alarms?n=50&segment=web&label=none",
        "/alarms?n=50&reason=nothing",
        f"/alarms/{newest['record_id']}?row={newest['row']}",
        "/thresholds",
        "/quality",
        "/models",
        "/drift",
        "/model_information",
    ]
    return {path.replace(newest["record_id"], "<record_id>"): get(path) for path in paths} | {
        "POST /audit/next": hand_out
    }


def _time(send: Callable[[], object], n_requests: int, worker: psutil.Process) -> str:
    """Send requests one after another; return the cells of their times."""
    took = []
    before = sum(worker.cpu_times()[:2])
    for _ in range(n_requests):
        started = time.perf_counter()
        send()
        took.append(1000 * (time.perf_counter() - started))
    used = 1000 * (sum(worker.cpu_times()[:2]) - before) / n_requests
    p50, p95 = np.percentile(took[1:], [50, 95])
    return f"{took[0]:.0f} | {p50:.1f} | {p95:.1f} | {used:.1f}"


def _open(browser: Browser, service: RunningService, view: str) -> str:
    """Open a view without a cache; return the cells of what it transferred and when it was first drawn."""
    sizes: list[float] = []
    with open_page(browser) as opened:
        network = opened.page.context.new_cdp_session(opened.page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        opened.page.goto(f"{service.address}/{view}", wait_until="networkidle")
        painted = opened.page.evaluate(_FIRST_PAINT)
    return f"{len(sizes)} | {sum(sizes) / 1000:.0f} | {painted:.0f}"


def _predict(service: RunningService) -> str:
    """Request predictions at a steady pace; return the cells of their times."""
    took = []
    for number in range(_PREDICTIONS):
        started = time.perf_counter()
        service.predict([0.1 + number / 1e6, 0.2])
        took.append(1000 * (time.perf_counter() - started))
        time.sleep(_PAUSE_SECONDS)
    p50, p99 = np.percentile(took, [50, 99])
    return f"{p50:.1f} | {p99:.1f}"


if __name__ == "__main__":
    sys.exit(main())
