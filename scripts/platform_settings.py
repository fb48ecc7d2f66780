"""The file ``.env``, from which Docker Compose reads the settings of the platform."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from scripts.compose import StepFailed
from scripts.platform_secrets import RANDOM_BYTES

# Compose files are separated by a colon, also in .env.
_ONE_ADDRESS = "docker-compose.yml:docker-compose.site.yml"

_HEADER = """\
# Settings of the platform: `make up` creates this file, Docker Compose reads it, and you may edit it. docs/compose.md
# lists all settings. Passwords are in the folder secrets.
"""

# Settings that `make up` reads from its environment. People write the others of docs/compose.md.
_TAKEN = ("ADMIN_USER", "BIND_ADDRESS", "SITE_ADDRESS")

# The only secret in it is the database's password, which Compose hands to the service as a variable.
_MODE, _MODE_WITH_SECRETS = 0o644, 0o600

# The profile of docker-compose.yml, and the service's address for it. The password comes from POSTGRES_PASSWORD.
_POSTGRES, _PASSWORD = "postgres", "POSTGRES_PASSWORD"
_POSTGRES_URL = "postgresql://isowatch@postgres/isowatch"


def read_settings(path: Path) -> dict[str, str]:
    """Read the settings of a file, which may not exist; quotes around a value are removed."""
    if not path.is_file():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


def settings_wanted(there: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return the changes to ``.env``; None removes a setting.

    Parameters
    ----------
    there
        The current settings.
    environment
        The requested settings: ``ADMIN_USER``, ``BIND_ADDRESS`` and ``SITE_ADDRESS``; empty restores the default.
        ``DATABASE``: ``postgres`` starts a server and stores records there, empty goes back to SQLite.

    Raises
    ------
    StepFailed
        If ``DATABASE`` is another word.

    Examples
    --------
    >>> settings_wanted({}, {})
    {'ADMIN_USER': 'admin'}
    >>> settings_wanted({"ADMIN_USER": "eva"}, {"SITE_ADDRESS": "example.org"})
    {'SITE_ADDRESS': 'example.org', 'COMPOSE_FILE': 'docker-compose.yml:docker-compose.site.yml'}
    >>> settings_wanted({"ADMIN_USER": "eva", "SITE_ADDRESS": "example.org"}, {"SITE_ADDRESS": ""})
    {'SITE_ADDRESS': None, 'COMPOSE_FILE': None}
    """
    wanted: dict[str, str | None] = {name: environment[name] or None for name in _TAKEN if name in environment}
    if "SITE_ADDRESS" in wanted:
        wanted["COMPOSE_FILE"] = _ONE_ADDRESS if wanted["SITE_ADDRESS"] else None
    if "DATABASE" in environment:
        wanted |= _database_wanted(there, environment["DATABASE"])
    if not (wanted.get("ADMIN_USER") or there.get("ADMIN_USER")):
        wanted["ADMIN_USER"] = "admin"
    return wanted


def _database_wanted(there: Mapping[str, str], database: str) -> dict[str, str | None]:
    """Return the changes for a kind of database; the password stays, as the server was created with it."""
    if database not in ("", _POSTGRES):
        raise StepFailed(
            f"DATABASE={database} is no kind of database: use DATABASE={_POSTGRES}, or DATABASE= for SQLite."
        )
    profiles = [name for name in there.get("COMPOSE_PROFILES", "").split(",") if name not in ("", _POSTGRES)]
    if database:
        profiles.append(_POSTGRES)
    return {
        "COMPOSE_PROFILES": ",".join(profiles) or None,
        "DATABASE_URL": _POSTGRES_URL if database else None,
        _PASSWORD: there.get(_PASSWORD) or (secrets.token_urlsafe(RANDOM_BYTES) if database else None),
    }


def change_settings(path: Path, changes: Mapping[str, str | None]) -> None:
    """Write changed settings into the file, as a whole or not at all; its other lines and its mode stay as they are."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else _HEADER.splitlines()
    kept = [line for line in lines if line.partition("=")[0].strip() not in changes]
    new = [f"{name}={value}" for name, value in changes.items() if value is not None]
    # An owner who wrote a password into DATABASE_URL may have restricted the mode, so it is preserved.
    mode = path.stat().st_mode & 0o777 if path.is_file() else _MODE
    if changes.get(_PASSWORD):
        mode &= _MODE_WITH_SECRETS
    written = path.with_name(f"{path.name}.new")
    written.unlink(missing_ok=True)
    written.touch(mode=mode & 0o600)
    written.write_text("\n".join([*kept, *new]) + "\n", encoding="utf-8")
    written.chmod(mode)
    os.replace(written, path)
