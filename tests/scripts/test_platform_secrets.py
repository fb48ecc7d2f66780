"""Secrets are for their owner alone, at any time, and a password that would not count is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.compose import StepFailed
from scripts.platform_secrets import FEEDBACK_KEYS, checked, make_secrets, renew_password, write_secret


def test_nobody_else_can_read_a_secret_under_any_umask(tmp_path: Path):
    """Not even for the moment between making the file and closing it to others."""
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
def test_password_that_would_not_count_is_refused(password: str):
    """Bcrypt looks at 72 bytes, and a file of passwords has one on a line."""
    with pytest.raises(StepFailed, match="one line of at most 72 bytes"):
        checked(password)


def test_password_that_cannot_be_hashed_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An engine that fails in the middle leaves the old password in force, for people and for programs."""

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


def _pretend_containers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a fake in the place of containers, which hash and change owners; return what it is asked to run."""
    asked: list[str] = []

    def run(step: str, image: str, *command: str, **_: object) -> str:
        asked.append(" ".join(command))
        return "hash"

    monkeypatch.setattr("scripts.platform_secrets.image_of", lambda service: "caddy")
    monkeypatch.setattr("scripts.platform_secrets.run_image", run)
    return asked


def test_key_for_labels_is_made_once_and_given_to_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also where a platform was set up before there were keys; a line of its own, so that another can be appended."""
    asked = _pretend_containers(monkeypatch)
    for name in ("admin_password", "caddy_users", "grafana_admin_password", "jupyter_token"):
        write_secret(tmp_path / name, "old")
    make_secrets(tmp_path, "admin")
    key = (tmp_path / FEEDBACK_KEYS).read_text()

    assert len(key) == 33
    assert key.endswith("\n")
    assert (tmp_path / FEEDBACK_KEYS).stat().st_mode & 0o777 == 0o600
    # nobody, who is the user of the service's image
    assert f"chown 65534:65534 {FEEDBACK_KEYS}" in asked[-1]

    make_secrets(tmp_path, "admin")
    assert (tmp_path / FEEDBACK_KEYS).read_text() == key


def test_new_password_leaves_the_keys_of_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Who labels goes on labelling after `make password`."""
    _pretend_containers(monkeypatch)
    make_secrets(tmp_path, "admin")
    key, password = ((tmp_path / name).read_text() for name in (FEEDBACK_KEYS, "admin_password"))

    renew_password(tmp_path, "admin")

    assert (tmp_path / "admin_password").read_text() != password
    assert (tmp_path / FEEDBACK_KEYS).read_text() == key
