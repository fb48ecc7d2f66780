"""Prometheus's linter accepts the metrics."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.running_service import start_service

pytestmark = pytest.mark.system


def test_metrics_pass_the_linter(tmp_path: Path, credits_models: Path, require_program: Callable[[str], Path]):
    """Names, units, types and help texts follow Prometheus's conventions."""
    promtool = require_program("promtool")
    with start_service(tmp_path, credits_models) as service:
        service.predict([0.56, 0.23])
        metrics = service.get("/metrics").content
    lint = subprocess.run([promtool, "check", "metrics"], input=metrics, capture_output=True, timeout=60)

    assert lint.returncode == 0, lint.stderr.decode() + lint.stdout.decode()
