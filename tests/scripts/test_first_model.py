"""Which data the first model of the platform is trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.compose import StepFailed
from scripts.first_model import training_settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's folder with data of its own."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("a\n1\n")
    return tmp_path


def test_own_data_come_first(project: Path):
    """data/train.csv is taken where it is, without a test file unless there is one."""
    found = training_settings(project, "")
    assert found.settings == {"DATA": str(project / "data")}
    assert (found.train, found.test, found.is_example) == ("train.csv", "", False)

    (project / "data" / "test.csv").write_text("a\n1\n")
    assert training_settings(project, "").test == "test.csv"


def test_named_file_brings_its_folder(project: Path, tmp_path: Path):
    """The container sees the folder of the file that was asked for."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "spending.csv").write_text("a\n1\n")
    found = training_settings(project, str(tmp_path / "elsewhere" / "spending.csv"))

    assert found.settings == {"DATA": str(tmp_path / "elsewhere")}
    assert found.train == "spending.csv"


def test_folder_that_was_chosen_before_is_kept(project: Path, tmp_path: Path):
    """What stands in .env is not forgotten by the next `make up`."""
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "train.csv").write_text("a\n1\n")

    assert training_settings(project, "", str(tmp_path / "chosen")).settings == {"DATA": str(tmp_path / "chosen")}


def test_example_is_made_without_data(tmp_path: Path):
    """Nothing is needed to begin; the volume of the example is used."""
    found = training_settings(tmp_path, "")

    assert found.is_example
    assert found.settings == {"DATA": None}


def test_file_that_is_not_there_is_named(project: Path):
    """A typing mistake does not train on something else."""
    with pytest.raises(StepFailed, match=r"TRAIN=tranin\.csv is not a file"):
        training_settings(project, "tranin.csv")
