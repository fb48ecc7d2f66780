"""Versions of a model for tests that change the live one: two that answer differently, and broken copies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.system.running_service import REPOSITORY


def two_versions(models: Path, training_csv: Path, folder: Path) -> Path:
    """Return a copy of a folder of models with a second version, which answers differently and is live."""
    copy = folder / "models"
    shutil.copytree(models, copy, symlinks=True)
    run_training(
        "train",
        "--train",
        str(training_csv),
        "--seed",
        "3",
        "--contamination",
        "0.01",
        "--no-drift",
        "--promote",
        models=copy,
    )
    return copy


def run_training(*arguments: str, models: Path) -> None:
    """Run ``python -m training``."""
    command = [sys.executable, "-m", "training", *arguments, "--models", str(models)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def flip_bit(folder: Path) -> None:
    """Flip a bit in the middle of the forest."""
    content = bytearray((folder / "forest.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "forest.npz").write_bytes(content)


def cut_off(folder: Path) -> None:
    """Truncate the reference rows, like an interrupted copy."""
    content = (folder / "reference.npz").read_bytes()
    (folder / "reference.npz").write_bytes(content[: len(content) // 2])


def rename_model(folder: Path) -> None:
    """Edit the manifest by hand."""
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"name": "mine"}, indent=1))


def lose_manifest(folder: Path) -> None:
    """Remove the manifest."""
    (folder / "manifest.json").unlink()


def lose_forest(folder: Path) -> None:
    """Remove the trees."""
    (folder / "forest.npz").unlink()


WAYS_TO_BREAK: list[Callable[[Path], None]] = [flip_bit, cut_off, rename_model, lose_manifest, lose_forest]


def break_copy(models: Path, version: str, number: int) -> str:
    """Copy a version, break the copy, and return its name."""
    broken = f"20200101T000000Z-{number:08x}"
    shutil.copytree(models / version, models / broken)
    WAYS_TO_BREAK[number % len(WAYS_TO_BREAK)](models / broken)
    return broken


def point_to(models: Path, version: str) -> None:
    """Redirect the link by hand: `promote` would reject a broken bundle."""
    (models / "next").symlink_to(version)
    os.replace(models / "next", models / "current")
