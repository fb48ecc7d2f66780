"""Errors of `make up`, and the addresses that it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.run_platform import addresses

ROOT = Path(__file__).resolve().parents[2]


def _up(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the command of `make up` with only these programs on PATH."""
    return subprocess.run(
        [sys.executable, "-m", "scripts.run_platform", "up"],
        cwd=ROOT,
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def _fake_docker(folder: Path, script: str) -> None:
    """Write a fake docker into a folder."""
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("", "docker is not installed"),
        ("echo Cannot connect >&2; exit 1", "Docker does not answer (Cannot connect)"),
        ('[ "$1" = info ]', "Docker has no Compose"),
        ('[ "$1" = info ] || echo 2.20.3', "Docker Compose 2.20.3 is too old: install 2.24 or newer."),
    ],
)
def test_unsuitable_docker_is_reported_in_one_line(tmp_path: Path, script: str, sentence: str):
    """Before anything is created."""
    if script:
        _fake_docker(tmp_path, script)
    done = _up(tmp_path)

    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr


def test_addresses_follow_the_settings():
    """Chosen ports, an address of this machine, or a site."""
    here = addresses({"ADMIN_USER": "eva", "BIND_ADDRESS": "0.0.0.0", "SERVICE_PORT": "8001"})
    assert "http://127.0.0.1:8001/" in here
    assert "http://127.0.0.1:3000/" in here
    assert "The user is eva" in here
    assert str(ROOT / "secrets" / "feedback_api_keys") in here
    assert f"{ROOT / 'secrets' / 'api_keys'} " in here

    site = addresses({"ADMIN_USER": "eva", "SITE_ADDRESS": "example.org"})
    assert "https://example.org/prometheus/" in site
    assert "127.0.0.1" not in site
