"""Draw the console for the README: ``python -m tests.system.draw_console``, with Debian's Chromium."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.system.browser_page import open_page, start_chromium
from tests.system.running_service import REPOSITORY, RunningService, start_service, wait_until

PICTURE = REPOSITORY / "docs" / "pictures" / "console.png"

# A browser window on a laptop.
WINDOW = {"width": 1280, "height": 800}

# So that every alarm is explained, which takes 3 % of a core at most.
N_ROWS, PAUSE_SECONDS = 30, 0.1


def main() -> int:
    """Train on the example data, send rows and labels, and draw the alarms."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Not found: chromium. Install it.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = [sys.executable, "-m", "training"]
        subprocess.run([*train[:-1], "training.data.synthetic", "--out", name], cwd=REPOSITORY, check=True)
        # Its drift detectors are not shown, so their calibration may be short.
        options = ["--contamination", "0.01", "--drift-ert", "300", "--drift-window", "10", "--metrics-port", "0"]
        options += ["--models", str(folder / "models")]
        subprocess.run([*train, "train", "--train", str(folder / "train.csv"), *options], cwd=REPOSITORY, check=True)
        with start_service(folder, folder / "models") as service:
            _send_rows(service)
            with start_chromium(Path(chromium)) as browser, open_page(browser, viewport=WINDOW) as opened:
                opened.page.goto(f"{service.address}/alarms", wait_until="networkidle")
                opened.page.screenshot(path=PICTURE)
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1000} kB")
    return 0


def _send_rows(service: RunningService) -> None:
    """Send alarms, and label some of them."""
    chosen = random.Random(0)
    n_alarms = 0
    for number in range(N_ROWS):
        row = [chosen.uniform(0.4, 3), chosen.uniform(20, 45)]
        answer = service.predict(row, segment=chosen.choice(["DE", "FR", "web"]))
        n_alarms += answer.json()["is_inlier"] == -1
        time.sleep(PAUSE_SECONDS)
        record = answer.headers["X-Record-ID"]
        if number % 3 == 0:
            label = {"request_id": record, "is_inlier": chosen.choice([1, -1]), "source": "console"}
            service.session.post(f"{service.address}/feedback", json=label, timeout=30)
    wait_until(lambda: len(service.get("/alarms").json()["alarms"]) == n_alarms, "all alarms", service)


if __name__ == "__main__":
    sys.exit(main())
