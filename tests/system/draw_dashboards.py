"""Draw the dashboards for the README: ``python -m tests.system.draw_dashboards --preview PROGRAM``.

A service under load and a training are watched for a while by Prometheus; then PROGRAM draws each dashboard with
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

from tests.system.running_service import REPOSITORY
from tests.system.watched_service import start_watched_service

DASHBOARDS = REPOSITORY / "monitoring" / "grafana" / "dashboards"
PICTURES = REPOSITORY / "docs" / "pictures"

# Pixels across: a wall screen, and a window on a desk.
WIDTHS = {"at_a_glance": 1920, "service": 1600, "predictions": 1600, "drift": 1600, "training": 1600}

# Five minutes of load, after which averages over five minutes say what they are meant to.
SECONDS = 330

# In the middle callers change their habits for a while, so that there is a drift to be seen, and its end.
DRIFT_BEGINS, DRIFT_ENDS, DRIFT_SHIFT = 0.4, 0.6, 0.5

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
        time.sleep(options.seconds * DRIFT_BEGINS)
        watched.habits.shift = DRIFT_SHIFT
        time.sleep(options.seconds * (DRIFT_ENDS - DRIFT_BEGINS))
        watched.habits.shift = 0
        time.sleep(options.seconds * (1 - DRIFT_ENDS))
        for name, width in WIDTHS.items():
            _draw(options.preview, watched.prometheus.address, options.seconds, width, DASHBOARDS / f"{name}.json")
    return 0


def _draw(preview: str, prometheus: str, seconds: int, width: int, dashboard: Path) -> None:
    """Draw one dashboard, in as few bytes as its few colours need."""
    options = ["--prometheus", prometheus, "--from", f"{seconds}s", "--width", str(width), "--out", str(PICTURES)]
    # An alert table without alerts is no mistake.
    subprocess.run([preview, *options, "--allow-empty", str(dashboard)], check=True)
    picture = PICTURES / f"{dashboard.stem}.png"
    with Image.open(picture) as drawn:
        # This method keeps thin lines in their own colour; the usual one gives them that of the many.
        drawn.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1).save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size // 1000} kB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
