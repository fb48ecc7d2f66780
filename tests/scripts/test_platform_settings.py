"""The file .env is created if it is missing, and changed only where requested."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.compose import StepFailed
from scripts.platform_settings import change_settings, read_settings, settings_wanted


def test_new_file_explains_itself(tmp_path: Path):
    """It refers to the documentation and contains no password."""
    path = tmp_path / ".env"
    change_settings(path, settings_wanted(read_settings(path), {"ADMIN_PASSWORD": "battery"}))

    assert read_settings(path) == {"ADMIN_USER": "admin"}
    assert "docs/compose.md" in path.read_text()
    assert "battery" not in path.read_text()


def test_other_lines_are_kept(tmp_path: Path):
    """Other settings, comments and their order."""
    path = tmp_path / ".env"
    path.write_text("# mine\nSERVICE_CPUS='2.0'\n\nADMIN_USER=eva\nBIND_ADDRESS=10.0.0.1\n")
    change_settings(path, settings_wanted(read_settings(path), {"BIND_ADDRESS": "10.0.0.2"}))

    assert path.read_text() == "# mine\nSERVICE_CPUS='2.0'\n\nADMIN_USER=eva\nBIND_ADDRESS=10.0.0.2\n"
    assert read_settings(path)["SERVICE_CPUS"] == "2.0"


def test_site_address_selects_the_compose_files(tmp_path: Path):
    """COMPOSE_FILE makes plain docker compose commands agree with `make up`; without an address it is removed."""
    path = tmp_path / ".env"
    change_settings(path, settings_wanted({}, {"SITE_ADDRESS": "example.org"}))
    assert read_settings(path)["COMPOSE_FILE"] == "docker-compose.yml:docker-compose.site.yml"

    change_settings(path, settings_wanted(read_settings(path), {"SITE_ADDRESS": ""}))

    assert read_settings(path) == {"ADMIN_USER": "admin"}
    assert [file.name for file in tmp_path.iterdir()] == [".env"]


def test_restricted_mode_is_kept(tmp_path: Path):
    """People who write a password into DATABASE_URL run `chmod 600 .env` once."""
    path = tmp_path / ".env"
    change_settings(path, {"ADMIN_USER": "eva"})
    assert path.stat().st_mode & 0o777 == 0o644

    path.chmod(0o600)
    change_settings(path, {"BIND_ADDRESS": "10.0.0.2"})

    assert path.stat().st_mode & 0o777 == 0o600
    assert read_settings(path) == {"ADMIN_USER": "eva", "BIND_ADDRESS": "10.0.0.2"}


def test_postgres_is_chosen_and_left(tmp_path: Path):
    """The password is random, only the owner can read the file, and the server's password stays when people go back."""
    path = tmp_path / ".env"
    change_settings(path, {"ADMIN_USER": "eva", "COMPOSE_PROFILES": "notebook"})
    change_settings(path, settings_wanted(read_settings(path), {"DATABASE": "postgres"}))
    chosen = read_settings(path)
    assert chosen["COMPOSE_PROFILES"] == "notebook,postgres"
    assert chosen["DATABASE_URL"] == "postgresql://isowatch@postgres/isowatch"
    assert len(chosen["POSTGRES_PASSWORD"]) == 32
    assert path.stat().st_mode & 0o777 == 0o600

    change_settings(path, settings_wanted(read_settings(path), {"DATABASE": "postgres"}))
    assert read_settings(path) == chosen

    change_settings(path, settings_wanted(read_settings(path), {"DATABASE": ""}))
    left = read_settings(path)
    assert (left["COMPOSE_PROFILES"], left["POSTGRES_PASSWORD"]) == ("notebook", chosen["POSTGRES_PASSWORD"])
    assert "DATABASE_URL" not in left


def test_unknown_database_is_refused():
    """Before anything is written."""
    with pytest.raises(StepFailed, match="DATABASE=mysql is no kind of database: use DATABASE=postgres"):
        settings_wanted({}, {"DATABASE": "mysql"})
