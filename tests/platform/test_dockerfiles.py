"""The images' recipes: what hadolint says, and what all of them promise."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = [ROOT / "Dockerfile", *sorted(ROOT.glob("*/Dockerfile*"))]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_hadolint_is_content(dockerfile: Path, require_program: Callable[[str], Path]):
    """Not even a remark."""
    hadolint = require_program("hadolint")
    lint = subprocess.run([hadolint, dockerfile], capture_output=True, text=True, timeout=60)

    assert (lint.returncode, lint.stdout) == (0, "")


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_images_run_as_a_number_and_from_locked_packages(dockerfile: Path):
    """The last user is a number other than root's, and pip takes nothing whose hash is not known."""
    text = dockerfile.read_text()

    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] in {"65534:65534", "1000:1000"}
    assert len(re.findall("pip install", text)) == len(re.findall("--require-hashes", text)) == 1


def test_every_dockerfile_starts_from_the_same_image():
    """One base to keep up to date."""
    bases = {base for file in DOCKERFILES for base in re.findall(r"^FROM (\S+)", file.read_text(), re.MULTILINE)}

    assert bases == {"python:3.13-slim-trixie"}
