"""The platform's passwords: files with mode 600, each of the user who reads it in a container."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from scripts.compose import StepFailed, image_of, run_image

# For people; what programs read is made of it.
ADMIN_PASSWORD = "admin_password"

_CADDY, _GRAFANA, _JUPYTER = "caddy_users", "grafana_admin_password", "jupyter_token"

# For programs that label: one key a line, the service reads them.
FEEDBACK_KEYS = "feedback_api_keys"

# The users of the images. Caddy is root, without the rights of root.
_OWNERS = {_CADDY: 0, _GRAFANA: 472, _JUPYTER: 1000, FEEDBACK_KEYS: 65534}

# What Alertmanager's receivers need is put there by people; its user is nobody.
_ALERTMANAGER, _ALERTMANAGER_USER = "alertmanager", 65534

# 24 bytes are 192 bits, 32 characters: nobody guesses that, and it can still be typed.
_RANDOM_BYTES = 24

# bcrypt looks at no more; the rest of a longer password would not count.
_MOST_BYTES = 72

# To change an owner takes root, which is had in a container; the folder is closed to all but the person it belongs to.
_AS_ROOT = ("--user", "0", "--cap-add", "CHOWN", "--cap-add", "FOWNER", "--cap-add", "DAC_OVERRIDE")

# The program of Caddy's image carries this right and does not start without it.
_AS_CADDY = ("--cap-add", "NET_BIND_SERVICE")


def make_secrets(folder: Path, user: str, password: str = "") -> None:
    """Make the secrets that are not there yet, and give each to its reader.

    Parameters
    ----------
    folder
        Where they lie; made, for its owner alone, if it is missing.
    user, password
        Who may go in. Without a password a random one is made; it counts only when there is none yet.

    Raises
    ------
    StepFailed
        If the password cannot be one, or a container cannot be run.
    """
    (folder / _ALERTMANAGER).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    admin = folder / ADMIN_PASSWORD
    if not admin.exists():
        write_secret(admin, checked(password) or secrets.token_urlsafe(_RANDOM_BYTES))
    elif password and password != admin.read_text(encoding="utf-8"):
        print("The password was made before: make password ADMIN_PASSWORD=... changes it.")
    image = image_of("caddy")
    if not (folder / _CADDY).exists():
        write_secret(folder / _CADDY, _caddy_line(user, admin.read_text(encoding="utf-8"), image))
    if not (folder / _GRAFANA).exists():
        write_secret(folder / _GRAFANA, admin.read_text(encoding="utf-8"))
    if not (folder / _JUPYTER).exists():
        write_secret(folder / _JUPYTER, secrets.token_urlsafe(_RANDOM_BYTES))
    if not (folder / FEEDBACK_KEYS).exists():
        # With a newline, so that a key can be appended.
        write_secret(folder / FEEDBACK_KEYS, f"{secrets.token_urlsafe(_RANDOM_BYTES)}\n")
    mount = ("--volume", f"{folder}:/secrets", "--workdir", "/secrets")
    run_image("Giving the secrets to their readers", image, "sh", "-c", _GIVE_AWAY, options=(*_AS_ROOT, *mount))


def renew_password(folder: Path, user: str, password: str = "") -> None:
    """Make another password, the given or a random one, and what programs read of it.

    Keys of programs stay: who labels would have to be told of another one first.

    Raises
    ------
    StepFailed
        As in :func:`make_secrets`; if the password cannot be one or cannot be hashed, the old one stays.
    """
    new = checked(password) or secrets.token_urlsafe(_RANDOM_BYTES)
    # Hashed before anything is replaced, since this is what may fail.
    line = _caddy_line(user, new, image_of("caddy"))
    for name, secret in ((ADMIN_PASSWORD, new), (_CADDY, line), (_GRAFANA, new)):
        write_secret(folder / name, secret)
    make_secrets(folder, user)


def _caddy_line(user: str, password: str, image: str) -> str:
    """Make the line that lets a user in; the password goes over standard input, since others see arguments."""
    text = f"{password}\n"
    return (
        f"{user} {run_image('Hashing the password', image, 'caddy', 'hash-password', options=_AS_CADDY, text=text)}\n"
    )


def checked(password: str) -> str:
    """Return a password that every program takes as it is.

    Raises
    ------
    StepFailed
        If it is longer than what counts, or holds a line break.

    Examples
    --------
    >>> checked("correct horse")
    'correct horse'
    """
    if len(password.encode()) > _MOST_BYTES or any(character in password for character in "\r\n"):
        raise StepFailed(f"ADMIN_PASSWORD has to be one line of at most {_MOST_BYTES} bytes.")
    return password


def write_secret(path: Path, secret: str) -> None:
    """Write a secret as a whole or not at all; nobody else can read it at any time."""
    written = path.with_name(f"{path.name}.new")
    written.unlink(missing_ok=True)
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        # As it is: Grafana would take a newline for a part of the password.
        file.write(secret)
    os.replace(written, path)


_GIVE_AWAY = " && ".join(
    [
        *(f"chown {owner}:{owner} {name}" for name, owner in _OWNERS.items()),
        f"find {_ALERTMANAGER} -type f -exec chown {_ALERTMANAGER_USER} {{}} + -exec chmod 600 {{}} +",
    ]
)
