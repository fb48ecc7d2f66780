"""Caddy itself has nothing to say against the Caddyfile, whichever door is asked for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

ROOT = Path(__file__).resolve().parents[2]
CADDY = ROOT / "monitoring" / "caddy"
DOORS = sorted(path.stem for path in (CADDY / "doors").glob("*.caddy"))

# A hash of the right form; nobody's.
NOBODY = "admin $2a$14$" + "a" * 53 + "\n"


@pytest.mark.parametrize("door", DOORS)
def test_caddy_accepts(door: str, tmp_path: Path, require_program: Callable[[str], Path]):
    """Every directive is known and stands where it may."""
    caddy = require_program("caddy")
    folder = tmp_path / "caddy"
    copytree(CADDY, folder)
    # The secret lies at a fixed place in a container, and nowhere on this machine.
    (tmp_path / "caddy_users").write_text(NOBODY)
    file = folder / "Caddyfile"
    text = file.read_text()
    assert text.count("/run/secrets/caddy_users") == 1
    file.write_text(text.replace("/run/secrets/caddy_users", str(tmp_path / "caddy_users")))
    checked = subprocess.run(
        [caddy, "validate", "--config", file, "--adapter", "caddyfile"],
        env={**os.environ, "DOOR": door, "SITE_ADDRESS": "example.org", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert checked.returncode == 0, checked.stderr
    assert '"level":"warn"' not in checked.stderr, checked.stderr


@pytest.mark.parametrize("file", ["Caddyfile", *(f"doors/{door}.caddy" for door in DOORS)])
def test_files_are_formatted(file: str, require_program: Callable[[str], Path]):
    """`caddy fmt` would change nothing."""
    caddy = require_program("caddy")
    formatted = subprocess.run([caddy, "fmt", CADDY / file], capture_output=True, text=True, timeout=60)

    assert formatted.stdout == (CADDY / file).read_text()


def test_each_door_is_asked_for_by_a_service():
    """No door is left over from former times."""
    compose = (ROOT / "docker-compose.yml").read_text() + (ROOT / "docker-compose.site.yml").read_text()

    assert DOORS
    for door in DOORS:
        assert f"DOOR: {door}" in compose
