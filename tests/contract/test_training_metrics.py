"""The page about training metrics lists each of them, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from training.metrics.monitor import TreeModelMonitor

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training-metrics.md"


def test_page_lists_every_metric():
    """The declared metrics and the documented metrics are the same."""
    monitor = TreeModelMonitor()
    with monitor.watch_run():
        pass
    declared = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in monitor.registry.collect()
    }
    rows = [line.split("|")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]

    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == declared
