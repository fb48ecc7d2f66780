"""The platform's passwords: files with mode 600, each owned by the user who reads it in a container."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from scripts.compose import StepFailed, image_of, run_image

# For people; the files that programs read are derived from it.
ADMIN_PASSWORD = "admin_password"

_CADDY, _GRAFANA, _JUPYTER = "caddy_users", "grafana_admin_password", "jupyter_token"

# For programs that send labels: one key per line, read by the service.
FEEDBACK_KEYS = "feedback_api_keys"

# For people who sign in to the console: names, roles and keys, read by the service.
CONSOLE_KEYS = "api_keys"

# The users in the images. Caddy runs as root without its capabilities.
_OWNERS = {_CADDY: 0, _GRAFANA: 472, _JUPYTER: 1000, FEEDBACK_KEYS: 65534, CONSOLE_KEYS: 65534}

# The secrets of Alertmanager's receivers are added by people; its user is nobody.
_ALERTMANAGER, _ALERTMANAGER_USER = "alertmanager", 65534

# 24 bytes are 192 bits, 32 characters: impossible to guess, and possible to type.
RANDOM_BYTES = 24

# bcrypt ignores the rest of a longer password.
_MAX_BYTES = 72

# Only root can change owners, so a container does it; the folder is accessible to its owner only.
_AS_ROOT = ("--user", "0", "--cap-add", "CHOWN", "--cap-add", "FOWNER", "--cap-add", "DAC_OVERRIDE")

# The executable in Caddy's image has this capability and does not start without it.
_AS_CADDY = ("--cap-add", "NET_BIND_SERVICE")


def make_secrets(folder: Path, user: str, password: str = "") -> None:
    """Create missing secrets, and make each readable for the user who needs it.

    Parameters
    ----------
    folder
        Folder of the secrets; created, for its owner only, if it is missing.
    user, password
        Credentials of the administrator. Without a password, a random one is made. It is used only if there is none
        yet.

    Raises
    ------
    StepFailed
        If the password cannot be used, or a container cannot be run.
    """
    (folder / _ALERTMANAGER).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    admin = folder / ADMIN_PASSWORD
    if not admin.exists():
        write_secret(admin, checked(password) or secrets.token_urlsafe(RANDOM_BYTES))
    elif password and password != admin.read_text(encoding="utf-8"):
        print("There is a password already: make password ADMIN_PASSWORD=... changes it.")
    image = image_of("caddy")
    if not (folder / _CADDY).exists():
        write_secret(folder / _CADDY, _caddy_line(user, admin.read_text(encoding="utf-8"), image))
    if not (folder / _GRAFANA).exists():
        write_secret(folder / _GRAFANA, admin.read_text(encoding="utf-8"))
    if not (folder / _JUPYTER).exists():
        write_secret(folder / _JUPYTER, secrets.token_urlsafe(RANDOM_BYTES))
    if not (folder / FEEDBACK_KEYS).exists():
        # With a newline, so that a key can be appended.
        write_secret(folder / FEEDBACK_KEYS, f"{secrets.token_urlsafe(RANDOM_BYTES)}\n")
    if not (folder / CONSOLE_KEYS).exists():
        write_secret(folder / CONSOLE_KEYS, f"admin admin {secrets.token_urlsafe(RANDOM_BYTES)}\n")
    mount = ("--volume", f"{folder}:/secrets", "--workdir", "/secrets")
    run_image("Setting the owners of the secrets", image, "sh", "-c", _CHANGE_OWNERS, options=(*_AS_ROOT, *mount))


def renew_password(folder: Path, user: str, password: str = "") -> None:
    """Set another password, the given or a random one, and update the files that programs read.

    Keys of programs stay: their users would have to learn a new one first.

    Raises
    ------
    StepFailed
        As in :func:`make_secrets`; if the password cannot be used or hashed, the old one stays.
    """
    new = checked(password) or secrets.token_urlsafe(RANDOM_BYTES)
    # Hashed before anything is replaced, since this may fail.
    line = _caddy_line(user, new, image_of("caddy"))
    for name, secret in ((ADMIN_PASSWORD, new), (_CADDY, line), (_GRAFANA, new)):
        write_secret(folder / name, secret)
    make_secrets(folder, user)


def _caddy_line(user: str, password: str, image: str) -> str:
    """Make Caddy's line for a user; the password is sent over standard input, since other users can see arguments."""
    text = f"{password}\n"
    return (
        f"{user} {run_image('Hashing the password', image, 'caddy', 'hash-password', options=_AS_CADDY, text=text)}\n"
    )


def checked(password: str) -> str:
    """Return a password if every program can use it.

    Raises
    ------
    StepFailed
        If it is too long, or has a line break.

    Examples
    --------
    >>> checked("correct horse")
    'correct horse'
    """
    if len(password.encode()) > _MAX_BYTES or any(character in password for character in "\r\n"):
        raise StepFailed(f"ADMIN_PASSWORD must be one line of at most {_MAX_BYTES} bytes.")
    return password


def write_secret(path: Path, secret: str) -> None:
    """Write a secret as a whole or not at all; nobody else can read it at any time."""
    written = path.with_name(f"{path.name}.new")
    written.unlink(missing_ok=True)
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        # Without a newline, which Grafana would take as part of the password.
        file.write(secret)
    os.replace(written, path)


_CHANGE_OWNERS = " && ".join(
    [
        *(f"chown {owner}:{owner} {name}" for name, owner in _OWNERS.items()),
        f"find {_ALERTMANAGER} -type f -exec chown {_ALERTMANAGER_USER} {{}} + -exec chmod 600 {{}} +",
    ]
)
