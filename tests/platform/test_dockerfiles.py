"""The Dockerfiles pass hadolint, use an unprivileged user, and install locked packages."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = [ROOT / "Dockerfile", *sorted(ROOT.glob("*/Dockerfile*"))]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_dockerfile_passes_hadolint(dockerfile: Path, require_program: Callable[[str], Path]):
    """Hadolint reports nothing."""
    hadolint = require_program("hadolint")
    lint = subprocess.run([hadolint, dockerfile], capture_output=True, text=True, timeout=60)

    assert (lint.returncode, lint.stdout) == (0, "")


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_image_is_unprivileged_and_locked(dockerfile: Path):
    """The final user is a numeric id other than root's, and every installation requires hashes."""
    text = dockerfile.read_text()
    installations = re.findall("pip install.*", text)

    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] in {"65534:65534", "1000:1000"}
    assert installations
    assert [line for line in installations if "--require-hashes" not in line] == []


def test_every_dockerfile_starts_from_the_same_image():
    """There is only one base image to keep up to date."""
    bases = {base for file in DOCKERFILES for base in re.findall(r"^FROM (\S+)", file.read_text(), re.MULTILINE)}

    assert bases == {"python:3.13-slim-trixie"}
