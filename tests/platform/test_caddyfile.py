"""Caddy accepts the Caddyfile for every value of DOOR, without warnings."""

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

# A well-formed hash that matches no password.
USERS = "admin $2a$14$" + "a" * 53 + "\n"


@pytest.mark.parametrize("door", DOORS)
def test_caddy_accepts(door: str, tmp_path: Path, require_program: Callable[[str], Path]):
    """Every directive is known and allowed where it is used."""
    caddy = require_program("caddy")
    folder = tmp_path / "caddy"
    copytree(CADDY, folder)
    # The secret has a fixed path in the container that does not exist on the host.
    (tmp_path / "caddy_users").write_text(USERS)
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
    """Files are formatted as by `caddy fmt`."""
    caddy = require_program("caddy")
    formatted = subprocess.run([caddy, "fmt", CADDY / file], capture_output=True, text=True, timeout=60)

    assert formatted.stdout == (CADDY / file).read_text()


def test_each_door_is_used_by_a_service():
    """Every file in doors/ is selected by a Compose service."""
    compose = (ROOT / "docker-compose.yml").read_text() + (ROOT / "docker-compose.site.yml").read_text()

    assert DOORS
    for door in DOORS:
        assert f"DOOR: {door}" in compose
