"""Draw the dashboards for the README: ``python -m tests.system.draw_dashboards --preview PROGRAM``.

A service under load, whose answers are labelled, and a training are watched for a while by Prometheus, and a model is
taken back and promoted again; then PROGRAM draws each dashboard with
``--prometheus URL --from DURATION --width PIXELS --out FOLDER FILE``. Containers are not drawn: what they are about is
not there without Compose.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.system.running_service import REPOSITORY, wait_until
from tests.system.watched_service import WatchedService, start_watched_service

DASHBOARDS = REPOSITORY / "monitoring" / "grafana" / "dashboards"
PICTURES = REPOSITORY / "docs" / "pictures"

# Pixels across: a wall screen, and a window on a desk.
WIDTHS = {"at_a_glance": 1920, "service": 1600, "predictions": 1600, "drift": 1600, "quality": 1600, "training": 1600}

# Five minutes of load, after which averages over five minutes say what they are meant to.
SECONDS = 330

# Of these dashboards, because on the others all is to be well: callers change their habits for a while, and back.
ABOUT_DRIFT = {"predictions", "drift"}
DRIFT_SHIFT, DRIFT_SECONDS = 0.5, 60

PROGRAMS = ("prometheus", "pushgateway", "node_exporter")


def main() -> int:
    """Draw; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.draw_dashboards", description=__doc__)
    parser.add_argument("--preview", required=True, help="the program that draws")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long is watched (default: %(default)s)")
    options = parser.parse_args()
    missing = [name for name in (*PROGRAMS, options.preview) if not shutil.which(name)]
    if missing:
        names = ", ".join(name or "PREVIEW" for name in missing)
        print(
            f"Not found: {names}; install it, or say where it is (make dashboard-pictures PREVIEW=...).",
            file=sys.stderr,
        )
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    programs = {name: Path(str(shutil.which(name))) for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder, start_watched_service(Path(folder), programs) as watched:
        print(f"Watching for {options.seconds} s ...", flush=True)
        address, begin = watched.prometheus.address, time.monotonic()
        _take_back_and_promote(watched)
        time.sleep(max(0.0, begin + options.seconds - time.monotonic()))
        for name in WIDTHS.keys() - ABOUT_DRIFT:
            _draw(options.preview, address, options.seconds, name)
        for shift in (DRIFT_SHIFT, 0):
            watched.habits.shift = shift
            time.sleep(DRIFT_SECONDS)
        for name in ABOUT_DRIFT:
            _draw(options.preview, address, options.seconds, name)
    return 0


def _take_back_and_promote(watched: WatchedService) -> None:
    """Have events on record: the new model is taken back, and promoted nevertheless."""
    wait_until(watched.is_swapped, "the second model", watched.service)
    version = (watched.models / "current").resolve().name
    for command in (("rollback",), ("promote", version)):
        subprocess.run(
            [sys.executable, "-m", "training", *command, "--models", str(watched.models)], cwd=REPOSITORY, check=True
        )


def _draw(preview: str, prometheus: str, seconds: int, name: str) -> None:
    """Draw one dashboard, in as few bytes as its few colours need."""
    options = [
        *("--prometheus", prometheus, "--from", f"{seconds}s", "--width", str(WIDTHS[name]), "--out", str(PICTURES)),
        # An alert table without alerts is no mistake.
        "--allow-empty",
    ]
    subprocess.run([preview, *options, str(DASHBOARDS / f"{name}.json")], check=True)
    picture = PICTURES / f"{name}.png"
    with Image.open(picture) as drawn:
        # This method keeps thin lines in their own colour; the usual one gives them that of the many.
        drawn.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1).save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size // 1000} kB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
