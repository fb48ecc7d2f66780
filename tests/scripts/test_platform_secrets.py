"""Secrets are readable by their owner only, and unusable passwords are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.compose import StepFailed
from scripts.platform_secrets import CONSOLE_KEYS, FEEDBACK_KEYS, checked, make_secrets, renew_password, write_secret


def test_nobody_else_can_read_a_secret_under_any_umask(tmp_path: Path):
    """Not even between creating the file and restricting its mode."""
    before = os.umask(0)
    try:
        write_secret(tmp_path / "password", "first")
        write_secret(tmp_path / "password", "second")
    finally:
        os.umask(before)

    assert (tmp_path / "password").read_text() == "second"
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["password"]


@pytest.mark.parametrize("password", ["x" * 73, "ä" * 37, "two\nlines", "two\rlines"])
def test_unusable_password_is_refused(password: str):
    """Bcrypt uses 72 bytes only, and a password file has one password per line."""
    with pytest.raises(StepFailed, match="one line of at most 72 bytes"):
        checked(password)


def test_password_that_cannot_be_hashed_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """If Docker fails half-way, the old password stays valid for people and programs."""

    def fail(*_: object, **__: object) -> str:
        raise StepFailed("Hashing the password failed")

    monkeypatch.setattr("scripts.platform_secrets.image_of", lambda service: "caddy")
    monkeypatch.setattr("scripts.platform_secrets.run_image", fail)
    before = {"admin_password": "old", "caddy_users": "admin hash\n", "grafana_admin_password": "old"}
    for name, text in before.items():
        write_secret(tmp_path / name, text)

    with pytest.raises(StepFailed, match="Hashing"):
        renew_password(tmp_path, "admin", "new")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def _fake_containers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the containers that hash passwords and change owners; return the list of commands they run."""
    commands: list[str] = []

    def run(step: str, image: str, *command: str, **_: object) -> str:
        commands.append(" ".join(command))
        return "hash"

    monkeypatch.setattr("scripts.platform_secrets.image_of", lambda service: "caddy")
    monkeypatch.setattr("scripts.platform_secrets.run_image", run)
    return commands


@pytest.mark.parametrize(("name", "before_key"), [(FEEDBACK_KEYS, ""), (CONSOLE_KEYS, "admin admin ")])
def test_key_is_created_once_and_readable_by_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, before_key: str
):
    """Also on a platform from before there were keys; it ends with a line break, so that more can be appended."""
    commands = _fake_containers(monkeypatch)
    for older in ("admin_password", "caddy_users", "grafana_admin_password", "jupyter_token"):
        write_secret(tmp_path / older, "old")
    make_secrets(tmp_path, "admin")
    key = (tmp_path / name).read_text()

    assert key.startswith(before_key)
    assert len(key) == len(before_key) + 33
    assert key.endswith("\n")
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    # The user nobody, as which the service's image runs.
    assert f"chown 65534:65534 {name}" in commands[-1]

    make_secrets(tmp_path, "admin")
    assert (tmp_path / name).read_text() == key


def test_new_password_keeps_the_feedback_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Programs that submit labels keep working after `make password`."""
    _fake_containers(monkeypatch)
    make_secrets(tmp_path, "admin")
    key, password = ((tmp_path / name).read_text() for name in (FEEDBACK_KEYS, "admin_password"))

    renew_password(tmp_path, "admin")

    assert (tmp_path / "admin_password").read_text() != password
    assert (tmp_path / FEEDBACK_KEYS).read_text() == key
