"""Without the virtual environment, a program reports in one line which package is missing and what to do."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def only_gunicorn(tmp_path: Path) -> Path:
    """Return a folder of packages that has only Gunicorn and its dependencies."""
    for package in ("gunicorn", "packaging"):
        found = importlib.util.find_spec(package)
        (tmp_path / package).symlink_to(Path(found.origin).parent)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "log_format", "program", "package"),
    [
        (["training", "models"], "text", "training", "numpy"),
        (["training", "--help"], "text", "training", "numpy"),
        (["app.records", "status"], "text", "records", "sqlalchemy"),
        (["gunicorn", "app:create_app()", "--bind", "127.0.0.1:0"], "text", "isowatch", "prometheus_client"),
        (["gunicorn", "app:create_app()", "--bind", "127.0.0.1:0"], "json", "isowatch", "pythonjsonlogger"),
    ],
)
def test_missing_package_is_reported_in_one_line(only_gunicorn, arguments, log_format, program, package):
    """It names the package and how to install it, and the exit status is that of a failure."""
    # -S excludes the packages of the environment.
    done = subprocess.run(
        [sys.executable, "-S", "-m", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(only_gunicorn), "LOG_FORMAT": log_format},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"{program}: the package {package} is not installed for {sys.executable}: run `make install`, then "
        "`source .venv/bin/activate`."
    )
