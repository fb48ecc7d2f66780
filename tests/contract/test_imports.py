"""Imports load only what they need; contracts in ``pyproject.toml`` check the direction of imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def modules_loaded_by(statement: str) -> set[str]:
    """Run an import in a new process, and return the top-level packages that are loaded afterwards."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def imported_packages(file: Path) -> set[str]:
    """Return the top-level packages that a file imports anywhere, except in the functions of ``gunicorn.conf.py``."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    if file.name == "gunicorn.conf.py":
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    nodes = list(ast.walk(tree))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return set(names)


@pytest.mark.parametrize("file", sorted((ROOT / "tests" / "system").glob("*.py")), ids=lambda file: file.name)
def test_system_tests_know_the_service_only_from_outside(file):
    """System tests import nothing from the packages that they test."""
    ours = {"app", "training", "loadtest", "monitoring", "scripts", "benchmarks"}

    assert {name.split(".")[0] for name in imported_packages(file)} & ours == set()


def test_gunicorn_configuration_imports_little():
    """Workers inherit what the arbiter imports, and prometheus_client must not be loaded before its folder exists."""
    ours = {name for name in imported_packages(ROOT / "gunicorn.conf.py") if name.startswith("app")}

    server = {f"app.server.{name}" for name in ("cpu_quota", "log_config", "missing_package")}
    assert ours == {"app.db.url", "app.errors", "app.settings"} | server


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        (
            "import app.db.url, app.settings, app.server.cpu_quota, app.server.log_config, app.recorder.process",
            {"flask", "numpy", "prometheus_client", "sqlalchemy", "ssl"},
        ),
        ("import app.recorder.supervisor", {"flask", "numpy", "prometheus_client"}),
        # By the arbiter, which forks: no library may start threads in it.
        ("import app.metrics.multiprocess", {"flask", "numpy"}),
        ("import app.recorder.__main__", {"flask", "marshmallow", "pandas", "scipy", "sklearn", "sqlalchemy"}),
        ("import app.model.bundle, app.model.live_model", {"flask", "pandas", "scipy", "sklearn"}),
        ("import app.drift.monitor, app.drift.state_file", {"flask", "pandas", "prometheus_client", "scipy"}),
        ("import app.quality.estimate", {"flask", "pandas", "prometheus_client", "scipy", "sqlalchemy"}),
        (
            "import app.factory",
            {"joblib", "locust", "matplotlib", "pandas", "plotly", "scipy", "sklearn", "sqlalchemy", "training"},
        ),
        (
            "import loadtest.bad_input, loadtest.boundary, loadtest.limit_search, loadtest.rows, loadtest.result_files",
            {"app", "gevent", "locust", "numpy", "pandas"},
        ),
    ],
)
def test_import_pulls_in_only_what_it_needs(statement, unwanted):
    """A part loads none of the heavy packages that belong to another part."""
    assert modules_loaded_by(statement) & unwanted == set()
