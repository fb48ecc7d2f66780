"""Imports point one way: the table below says who may import whom, and everything else is a mistake."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A row is about a module, or a package with all that is in it; the longest name that fits counts. What a row
# allows is allowed with all that is below it, and a row's own package always is.
MAY_IMPORT: dict[str, set[str]] = {
    "app.__init__": {"app.factory", "app.settings"},
    "app.errors": set(),
    "app.settings": {"app.errors"},  # a bad variable is an InvalidSetting
    "app.cpu_allowance": set(),
    "app.draining_worker": {"app.one_piece_response"},
    "app.one_piece_response": set(),
    "app.gunicorn_logger": set(),
    "app.log_format": set(),
    "app.periodic_jobs": set(),
    "app.process_usage": set(),
    "app.vector_histogram": set(),
    "app.metrics": {"app.feedback_metrics", "app.recorder_metrics", "app.vector_histogram"},
    "app.feedback_metrics": set(),
    "app.quality_metrics": {"app.quality"},
    "app.recorder_metrics": {"app.vector_histogram"},
    "app.event_metrics": {"app.records.event_kinds"},
    "app.records_metrics": set(),
    "app.folder_metrics": set(),
    "app.metrics_archive": set(),
    "app.metrics_folder": {"app.errors", "app.model.shared_notes"},  # they lie in it
    "app.model": {"app.errors"},
    "app.drift": {"app.errors"},
    "app.quality": set(),
    # Changes of versions are events; quality is estimated from what was read.
    "app.records": {"app.errors", "app.model.version_changes", "app.quality"},
    # Operators say where the database is as the service does.
    "app.records.__main__": {"app.errors", "app.records", "app.settings"},
    "app.records.commands": {"app.errors", "app.records", "app.settings"},
    # An id is made for each request, long before there is a database.
    "app.records.record_id": set(),
    "app.recorder": {
        "app.drift",
        "app.errors",
        "app.event_metrics",
        "app.feedback_metrics",
        "app.log_format",
        "app.metrics",
        "app.metrics_archive",
        "app.metrics_folder",
        "app.model",
        "app.periodic_jobs",
        "app.quality",
        "app.quality_metrics",
        "app.recorder_metrics",
        "app.records",
        "app.records_metrics",
        "app.settings",
    },
    # The arbiter imports these, before the metrics folder is known.
    "app.recorder.local_socket": set(),
    "app.recorder.recorder_processes": {"app.recorder.local_socket"},
    "app.schemas": {"app.errors", "app.model.features"},
    # It describes a bundle.
    "app.schemas.model_information": {"app.errors", "app.model.bundle", "app.schemas"},
    "app.web": {
        "app.errors",
        "app.metrics",
        "app.model.features",  # the OpenAPI document says what a row holds
        "app.records.record_id",
        "app.schemas",
        "app.settings",
    },
    "app.routes": {
        "app.errors",
        "app.folder_metrics",
        "app.feedback_metrics",
        "app.metrics",
        "app.metrics_archive",  # /metrics adds up what it holds
        "app.metrics_folder",
        "app.model",
        "app.periodic_jobs",  # one of the parts that a route finds on the application
        "app.quality",
        "app.recorder.drift_report",
        "app.recorder.hand_over",
        "app.recorder.heartbeat",
        "app.records",
        "app.schemas",
        "app.settings",
        "app.web",
    },
    "app.factory": {"app"},
    "training": {"app.drift", "app.errors", "app.model", "app.records"},
    "loadtest": set(),
    "monitoring": set(),  # it knows the service by the names of its metrics
    "scripts": set(),
    "benchmarks": {"app.model"},
    "benchmarks.drift": {"app.drift", "app.model", "training"},  # it calibrates on many draws of the rows
    # It starts a recorder, hands rows to it as a worker does, and looks for what was written.
    "benchmarks.records": {
        "app.metrics",
        "app.metrics_archive",
        "app.model",
        "app.recorder",
        "app.records",
        "benchmarks.alone",
    },
    "benchmarks.quality": {"app.quality"},
    "tests.system": set(),
    # It asks Prometheus what the dashboards ask and the rules record.
    "tests.system.test_dashboards_answered": {
        "tests.monitoring.generated_dashboards",
        "tests.monitoring.rule_files",
        "tests.system",
    },
    # Only what it imports outside its hooks: those run late enough to use all of app.
    "gunicorn.conf": {"app.cpu_allowance", "app.errors", "app.log_format", "app.settings"},
}

_FOLDERS = ("app", "training", "monitoring", "loadtest", "benchmarks", "scripts")
_OURS = (*_FOLDERS, "tests")


def module_name(path: Path) -> str:
    """Name a file relative to the root as a module; a package's own file keeps its ``__init__``."""
    return ".".join(path.with_suffix("").parts)


def row_of(module: str, table: dict[str, set[str]]) -> str | None:
    """Find the longest row that is the module or a package around it."""
    return max((row for row in table if is_within(module, row)), key=len, default=None)


def is_within(module: str, package: str) -> bool:
    """Tell whether the module is the package or lies in it."""
    return module == package or module.startswith(package + ".")


def imported_modules(root: Path, path: Path) -> Iterator[tuple[str, int]]:
    """Yield each module of ours that a file imports, with its line; Gunicorn's hooks are left out."""
    tree = ast.parse((root / path).read_text(encoding="utf-8"))
    if path.name == "gunicorn.conf.py":
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.parts[: -node.level] if node.level else ()
            base = ".".join([*package, *([node.module] if node.module else [])])
            names = [_module_or_its_part(root, base, alias.name) for alias in node.names]
        else:
            continue
        yield from ((name, node.lineno) for name in names if name.split(".")[0] in _OURS)


def _module_or_its_part(root: Path, base: str, name: str) -> str:
    """Tell a module that is imported from a package from something that a module defines."""
    folder = root.joinpath(*base.split("."))
    return f"{base}.{name}" if (folder / f"{name}.py").exists() or (folder / name).is_dir() else base


def forbidden_imports(root: Path, table: dict[str, set[str]]) -> list[str]:
    """Name every import that the table does not allow, and every module that it does not know."""
    found = []
    for folder in (*_FOLDERS, "tests/system", "gunicorn.conf.py"):
        for file in sorted((root / folder).rglob("*.py")) or [root / folder]:
            if not file.is_file():
                continue
            path = file.relative_to(root)
            if any(part.startswith(".") for part in path.parts):
                continue  # an environment of somebody else's packages
            row = row_of(module_name(path), table)
            if row is None:
                found.append(f"{path}: the table has no row for it")
                continue
            found += [
                f"{path}:{line}: may not import {name}"
                for name, line in dict.fromkeys(imported_modules(root, path))
                if not any(is_within(name, allowed) for allowed in {row, *table[row]})
            ]
    return found


def modules_loaded_by(statement: str) -> set[str]:
    """Run an import in a fresh Python and name the top-level packages that are loaded afterwards."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.fixture
def small_tree(tmp_path):
    """A tree of three modules in which only ``app.routes`` imports, and only what it may."""
    files = {
        "app/errors.py": "",
        "app/model/forest.py": "import os\n",
        "app/routes/predict.py": "import app.model.forest\nfrom app.errors import E\nfrom app import model\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


SMALL_TABLE: dict[str, set[str]] = {
    "app.errors": set(),
    "app.model": {"app.errors"},
    "app.routes": {"app.errors", "app.model"},
}


def test_allowed_imports_are_silent(small_tree):
    """Imports that the table allows, in any spelling, are no finding."""
    assert forbidden_imports(small_tree, SMALL_TABLE) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import app.routes.predict",
        "from app.routes import predict",
        "from app.routes.predict import predict",
        "from app import routes",
        "from ..routes import predict",
        "from .. import routes",
        "def later():\n    import app.routes",
    ],
)
def test_forbidden_import_is_found_in_any_spelling(small_tree, statement):
    """An import against the direction is found, whether absolute, relative or inside a function."""
    (small_tree / "app/model/forest.py").write_text(statement)

    [finding] = forbidden_imports(small_tree, SMALL_TABLE)

    assert finding.startswith("app/model/forest.py:")
    assert "may not import app.routes" in finding


def test_unknown_module_is_found(small_tree):
    """A new module needs a row: the law does not silently leave it out."""
    (small_tree / "app/surprise.py").write_text("")

    assert forbidden_imports(small_tree, SMALL_TABLE) == ["app/surprise.py: the table has no row for it"]


def test_longer_row_counts(small_tree):
    """A row about one module stands above the row about its package."""
    table = {**SMALL_TABLE, "app.routes.predict": {"app.errors"}}

    assert forbidden_imports(small_tree, table) == [
        "app/routes/predict.py:1: may not import app.model.forest",
        "app/routes/predict.py:3: may not import app.model",
    ]


def test_gunicorn_hooks_may_import_what_the_top_may_not(small_tree):
    """Of the Gunicorn configuration only the top is bound by its row."""
    (small_tree / "gunicorn.conf.py").write_text(
        "try:\n    import app.model\nfinally:\n    pass\ndef hook():\n    import app.routes\n"
    )

    assert forbidden_imports(small_tree, {**SMALL_TABLE, "gunicorn.conf": set()}) == [
        "gunicorn.conf.py:2: may not import app.model"
    ]


def test_imports_of_this_repository_point_one_way():
    """No module imports against the table, and the table knows every module."""
    assert forbidden_imports(ROOT, MAY_IMPORT) == []


def test_every_row_is_about_something():
    """A row whose module has gone is removed with it."""
    for row in MAY_IMPORT:
        path = ROOT / row.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file() or (ROOT / f"{row}.py").is_file(), row


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        (
            "import app.settings, app.cpu_allowance, app.log_format, app.recorder.recorder_processes",
            {"flask", "numpy", "prometheus_client"},
        ),
        ("import app.recorder.supervisor", {"flask", "numpy", "prometheus_client"}),
        ("import app.recorder.__main__", {"flask", "marshmallow", "pandas", "scipy", "sklearn", "sqlalchemy"}),
        ("import app.model.bundle, app.model.current_model", {"flask", "pandas", "scipy", "sklearn"}),
        ("import app.drift.drift_watch, app.drift.saved_state", {"flask", "pandas", "prometheus_client", "scipy"}),
        ("import app.quality.quality", {"flask", "pandas", "prometheus_client", "scipy", "sqlalchemy"}),
        (
            "import app.factory",
            {"joblib", "locust", "matplotlib", "pandas", "plotly", "scipy", "sklearn", "sqlalchemy", "training"},
        ),
        (
            "import loadtest.bad_input, loadtest.boundary, loadtest.limit_search, loadtest.row_sources, "
            "loadtest.verdict_files",
            {"app", "gevent", "locust", "numpy", "pandas"},
        ),
    ],
)
def test_import_pulls_in_only_what_it_needs(statement, unwanted):
    """A part loads none of the heavy packages that belong to another part."""
    assert modules_loaded_by(statement) & unwanted == set()
