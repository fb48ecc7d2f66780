"""``python -m training threshold``: move the threshold of a version."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.model.bundle import read_bundle
from training.__main__ import main
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset
from training.fitting.fit import ForestParameters, fit

pytestmark = pytest.mark.usefixtures("all_trees")


@pytest.fixture(scope="module")
def written(small_model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a version once."""
    return write_bundle(tmp_path_factory.mktemp("threshold") / "models", small_model).folder.parent


@pytest.fixture
def models(written: Path, tmp_path: Path) -> Path:
    """Return a folder with one version, which is live."""
    shutil.copytree(written, tmp_path / "models", symlinks=True)
    return tmp_path / "models"


@pytest.fixture
def run(models: Path, capsys) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command and returns exit status, standard output and standard error."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        status = main(["threshold", *arguments, "--models", str(models)])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run_command


def test_moved_threshold_goes_live_when_asked(models, run):
    """Without --promote, the last line is the command that promotes it."""
    before = read_bundle((models / "current").resolve())

    status, shown, _ = run("--contamination", "0.02")
    assert status == 0
    assert "It flags 6 of 300 training rows, 2.000% instead of 10.000%" in shown
    assert read_bundle(models / "current").version == before.version
    assert main(shown.splitlines()[-1].removeprefix("To make it live: python -m training ").split()) == 0
    after = read_bundle(models / "current")
    assert after.manifest["training"]["flagged_rows"] == 6
    assert after.manifest["parameters"] == before.manifest["parameters"]

    status, shown, _ = run("--score", "-0.55", "--promote", before.version)
    assert (status, read_bundle(models / "current").forest.offset) == (0, -0.55)
    assert f"has the forest of {before.version} and the threshold -0.55" in shown
    assert main(["rollback", "--models", str(models)]) == 0
    assert read_bundle(models / "current").version == after.version


def test_useless_threshold_needs_force(models, run):
    """A threshold that flags nothing is not promoted, and the exit status says so."""
    before = (models / "current").readlink()

    status, shown, _ = run("--score", "-1", "--promote")

    assert (status, (models / "current").readlink()) == (3, before)
    assert "it flags none of its 300 training rows; to promote it nevertheless, add --force." in shown
    assert run("--score", "-1", "--promote", "--force")[0] == 0


def test_p_value_needs_out_of_bag_scores(tmp_path: Path, capsys):
    """A tree sees all rows of a small table."""
    rows = np.random.default_rng(1).normal(size=(150, 2))
    data = Dataset(("mean", "sd"), rows, Path("rows.csv"), "0" * 64, ("mean", "sd"))
    write_bundle(tmp_path / "models", TrainedModel("m", fit(rows, ForestParameters(n_estimators=2)), data))

    assert main(["threshold", "--p-value", "0.01", "--models", str(tmp_path / "models")]) == 2
    assert "has no out-of-bag scores, which p-values need" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--contamination", "0.7"], 2, "The contamination 0.7 is out of range"),
        (["--p-value", "0.0001"], 2, "The p-value 0.0001 is not possible with 300 out-of-bag scores"),
        (["--score", "-1.5"], 2, "The score -1.5 is out of range"),
        (["--alarms-per-day", "5", "--database", "sqlite:////nowhere/none.db"], 1, "/nowhere"),
        (["--score", "-0.5", "20200101T000000Z-00000000"], 2, "has no version 20200101T000000Z-00000000"),
    ],
)
def test_impossible_choices_are_refused(models, run, options, status, message):
    """In one line; no version is made."""
    before = sorted(entry.name for entry in models.iterdir())

    refused = run(*options)

    assert (refused[0], refused[2].count("\n")) == (status, 1)
    assert message in refused[2]
    assert sorted(entry.name for entry in models.iterdir() if entry.name != ".lock") == [
        name for name in before if name != ".lock"
    ]
