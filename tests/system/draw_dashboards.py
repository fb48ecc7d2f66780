"""Draw the dashboards for the README: ``python -m tests.system.draw_dashboards --preview PROGRAM``.

For a while, Prometheus monitors a service under load, whose alarms get labels, and a training run; a model is rolled
back and promoted again. Then PROGRAM draws each dashboard, called with
``--prometheus URL --from DURATION --width PIXELS --out FOLDER FILE``. The containers dashboard is left out, because it
needs Compose.
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

from tests.system.monitored_service import MonitoredService, start_monitored_service
from tests.system.running_service import REPOSITORY, wait_until

DASHBOARDS = REPOSITORY / "monitoring" / "grafana" / "dashboards"
PICTURES = REPOSITORY / "docs" / "pictures"

# Width in pixels: a wall screen for the overview, a browser window for the others.
WIDTHS = {"at_a_glance": 1920, "service": 1600, "predictions": 1600, "drift": 1600, "quality": 1600, "training": 1600}

# Slightly more than the five minutes over which the dashboards average.
SECONDS = 330

# Only these dashboards show drift: callers change their rows for a while, and back.
ABOUT_DRIFT = {"predictions", "drift"}
DRIFT_SHIFT, DRIFT_SECONDS = 0.5, 60

PROGRAMS = ("prometheus", "pushgateway", "node_exporter")


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.draw_dashboards", description=__doc__)
    parser.add_argument("--preview", required=True, help="the program that draws a dashboard")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="duration of the load (default: %(default)s)")
    options = parser.parse_args()
    missing = [name for name in (*PROGRAMS, options.preview) if not shutil.which(name)]
    if missing:
        names = ", ".join(name or "PREVIEW" for name in missing)
        print(
            f"Not found: {names}. Install it, or give its path (make dashboard-pictures PREVIEW=...).",
            file=sys.stderr,
        )
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    programs = {name: Path(str(shutil.which(name))) for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder, start_monitored_service(Path(folder), programs) as monitored:
        print(f"Recording for {options.seconds} s ...", flush=True)
        address, begin = monitored.prometheus.address, time.monotonic()
        _roll_back_and_promote(monitored)
        time.sleep(max(0.0, begin + options.seconds - time.monotonic()))
        for name in WIDTHS.keys() - ABOUT_DRIFT:
            _draw(options.preview, address, options.seconds, name)
        for shift in (DRIFT_SHIFT, 0):
            monitored.habits.shift = shift
            time.sleep(DRIFT_SECONDS)
        for name in ABOUT_DRIFT:
            _draw(options.preview, address, options.seconds, name)
    return 0


def _roll_back_and_promote(monitored: MonitoredService) -> None:
    """Produce events: roll back the new model and promote it again."""
    wait_until(monitored.is_swapped, "the second model", monitored.service)
    version = (monitored.models / "current").resolve().name
    for command in (("rollback",), ("promote", version)):
        subprocess.run(
            [sys.executable, "-m", "training", *command, "--models", str(monitored.models)], cwd=REPOSITORY, check=True
        )


def _draw(preview: str, prometheus: str, seconds: int, name: str) -> None:
    """Draw one dashboard, and reduce the file's size."""
    options = [
        *("--prometheus", prometheus, "--from", f"{seconds}s", "--width", str(WIDTHS[name]), "--out", str(PICTURES)),
        # A table without alerts is not an error.
        "--allow-empty",
    ]
    subprocess.run([preview, *options, str(DASHBOARDS / f"{name}.json")], check=True)
    picture = PICTURES / f"{name}.png"
    with Image.open(picture) as drawn:
        # This method keeps the colours of thin lines; the default one replaces them with more frequent colours.
        drawn.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1).save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size // 1000} kB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
