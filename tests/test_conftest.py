from pathlib import Path

import pytest


def test_program_that_is_there_is_found(require_program):
    """The path of an installed program is returned."""
    assert require_program("sh").name == "sh"


def test_missing_program_skips_by_name(require_program, monkeypatch):
    """On a developer's machine, a missing program skips the test and is named."""
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        require_program("no-such-program")


def test_missing_program_fails_in_ci(require_program, monkeypatch):
    """In CI, a missing program is a failure, because nobody would notice a skip."""
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        require_program("no-such-program")


def test_training_csv_exists_without_the_real_sample(training_csv):
    """Tests always have training data with the columns of the example."""
    with Path(training_csv).open() as file:
        assert file.readline().strip().split(",") == ["mean", "sd"]
