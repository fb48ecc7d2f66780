"""Choosing the data on which the platform's first model is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.compose import StepFailed
from scripts.first_model import training_settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project folder with its own data."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("a\n1\n")
    return tmp_path


def test_own_data_are_preferred(project: Path):
    """data/train.csv is used in place, with data/test.csv if it exists."""
    found = training_settings(project, "")
    assert found.settings == {"DATA": str(project / "data")}
    assert (found.train, found.test, found.is_example) == ("train.csv", "", False)

    (project / "data" / "test.csv").write_text("a\n1\n")
    assert training_settings(project, "").test == "test.csv"


def test_folder_of_the_requested_file_is_mounted(project: Path, tmp_path: Path):
    """The container sees the folder of the requested file."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "spending.csv").write_text("a\n1\n")
    found = training_settings(project, str(tmp_path / "elsewhere" / "spending.csv"))

    assert found.settings == {"DATA": str(tmp_path / "elsewhere")}
    assert found.train == "spending.csv"


def test_earlier_choice_in_env_is_kept(project: Path, tmp_path: Path):
    """The next `make up` uses the folder in .env again."""
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "train.csv").write_text("a\n1\n")

    assert training_settings(project, "", str(tmp_path / "chosen")).settings == {"DATA": str(tmp_path / "chosen")}


def test_example_is_generated_without_data(tmp_path: Path):
    """No data are needed to start; the volume of the example is used."""
    found = training_settings(tmp_path, "")

    assert found.is_example
    assert found.settings == {"DATA": None}


def test_missing_file_is_reported(project: Path):
    """A typing error never trains on other data."""
    with pytest.raises(StepFailed, match=r"TRAIN=tranin\.csv is not a file"):
        training_settings(project, "tranin.csv")
