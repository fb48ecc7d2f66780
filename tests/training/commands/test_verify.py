"""``python -m training verify``: check every file of a bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.__main__ import main
from training.bundle.write import write_bundle


@pytest.fixture
def models(small_model, tmp_path: Path) -> Path:
    """Return a folder with one version."""
    write_bundle(tmp_path / "models", small_model)
    return tmp_path / "models"


def test_intact_bundle_passes(models, capsys):
    """The live one by default, another one by its name."""
    version = (models / "current").readlink()

    assert main(["verify", "--models", str(models)]) == 0
    assert main(["verify", str(version), "--models", str(models)]) == 0

    assert capsys.readouterr().out.count("every file is as it was written") == 2


def test_each_problem_is_printed(models, capsys):
    """Two changed files give two lines."""
    for name in ("model.joblib", "model_card.md"):
        with (models / "current" / name).open("ab") as file:
            file.write(b" ")

    assert main(["verify", "--models", str(models)]) == 1

    first, second = capsys.readouterr().out.splitlines()
    assert "model.joblib was changed after it was written" in first
    assert "model_card.md was changed after it was written" in second


def test_changed_manifest_is_reported(models, capsys):
    """Without a valid manifest nothing else can be checked."""
    manifest = models / "current" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"credits"', '"debits"'))

    assert main(["verify", "--models", str(models)]) == 1

    assert "manifest.json was changed after it was written" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["20200101T000000Z-00000000", "../models/none"])
def test_unknown_version_is_refused(models, capsys, version):
    """A mistyped version is a bad argument."""
    assert main(["verify", version, "--models", str(models)]) == 2

    assert f"has no version {version}" in capsys.readouterr().err
