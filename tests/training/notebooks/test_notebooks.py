"""The notebooks run from top to bottom, and are stored without output."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from app.model.bundle import read_bundle

ROOT = Path(__file__).parents[3]
NOTEBOOKS = sorted((ROOT / "training" / "notebooks").glob("*.ipynb"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project folder with only the code, in which notebooks create data, models and reports."""
    for package in ("app", "training"):
        (tmp_path / package).symlink_to(ROOT / package)
    # The user's own Jupyter configuration is neither read nor changed.
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / "jupyter"))
    return tmp_path


def run(name: str, project: Path) -> NotebookNode:
    """Run a notebook in the project's folder; a failing cell fails the test with its traceback."""
    notebook: NotebookNode = nbformat.read(ROOT / "training" / "notebooks" / name, as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(project)}}).execute()
    return notebook


def count_outputs(notebook: NotebookNode) -> Counter[str]:
    """Count the outputs of the cells by type."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return Counter(kind for output in outputs for kind in output.get("data", ()))


def list_error_output(notebook: NotebookNode) -> list[NotebookNode]:
    """Return what the cells write to standard error, mostly warnings."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    complaints = [output for output in outputs if output.get("name") == "stderr"]
    # The warning about a missing C compiler is expected.
    return [output for output in complaints if "computed by NumPy" not in output.text]


def read_printed_output(notebook: NotebookNode) -> str:
    """Return what the cells print."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


def read_count(text: str) -> int:
    """Read a number with thousands separators."""
    return int(text.replace(",", ""))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_is_stored_without_output(path):
    """Output would clutter reviews and might show somebody's data."""
    for cell in nbformat.read(path, as_version=4).cells:
        assert cell.cell_type == "markdown" or (cell.outputs, cell.execution_count) == ([], None)
        assert not cell.metadata


def test_exploration_runs(project):
    """It shows tables, a scatter plot, a histogram and a box plot per feature, and writes the page without errors."""
    shown = run("exploration.ipynb", project)

    kinds = count_outputs(shown)
    assert kinds["application/vnd.plotly.v1+json"] == 1 + 2 + 2
    assert "64,227 rows are distinct" in read_printed_output(shown)
    assert (project / "reports" / "exploration.html").is_file()
    assert list_error_output(shown) == []


def test_training_runs(project, is_long: bool):
    """It shows two boundaries and a histogram, flags fewer rows the second time, and promotes a valid bundle."""
    if not is_long:
        pytest.skip("takes over a minute: run it with make test-long")
    shown = run("train.ipynb", project)

    assert count_outputs(shown)["image/png"] == 3
    [base, chosen] = re.findall(r"([\d,]+) of 64,227 training rows are flagged", read_printed_output(shown))
    assert read_count(base) > 64_227 * 0.1
    assert 0 < read_count(chosen) <= 64_227 * 0.001
    bundle = read_bundle(project / "models" / "current")
    assert bundle.manifest["parameters"]["contamination"] == 0.001
    assert list_error_output(shown) == []
