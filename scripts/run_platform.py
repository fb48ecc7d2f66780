"""The platform of docker-compose.yml: ``make up``, ``make password`` and ``make reset-grafana``.

It needs only Python's standard library, so that a machine needs nothing but Docker and Python.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from scripts.check_address import listening_error
from scripts.compose import StepFailed, compose, ports_of, require_compose, succeeds, volume_named
from scripts.first_model import train_if_there_is_none, training_settings
from scripts.platform_secrets import ADMIN_PASSWORD, CONSOLE_KEYS, FEEDBACK_KEYS, make_secrets, renew_password
from scripts.platform_settings import change_settings, read_settings, settings_wanted

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / ".env"
SECRETS = ROOT / "secrets"

_READABLE, _ENTERABLE = 0o044, 0o011

# The settings that choose the published ports, by port inside Caddy's container; those of a site are fixed.
_PORT_SETTINGS = {8000: "SERVICE_PORT", 3000: "GRAFANA_PORT", 9090: "PROMETHEUS_PORT", 9093: "ALERTMANAGER_PORT"}


def up() -> None:
    """Create what is missing (settings, passwords, images, a model), start everything and wait until it is healthy."""
    change_settings(SETTINGS, settings_wanted(read_settings(SETTINGS), os.environ))
    training = training_settings(ROOT, os.environ.get("TRAIN", ""), read_settings(SETTINGS).get("DATA", ""))
    change_settings(SETTINGS, training.settings)
    require_free_ports()
    settings = read_settings(SETTINGS)
    make_secrets(SECRETS, settings["ADMIN_USER"], os.environ.get("ADMIN_PASSWORD", ""))
    _let_containers_read(ROOT / "monitoring")
    compose("Building the image of the service", "build", "service")
    train_if_there_is_none(training)
    compose("Starting (`make logs` shows more)", "up", "--detach", "--wait", "--remove-orphans")
    # As in Compose, the environment overrides the file.
    print(addresses({**settings, **os.environ}))


def require_free_ports() -> None:
    """Check that every port of the platform is free, or is already its own, before anything slow starts.

    Raises
    ------
    StepFailed
        If another program listens on one; the message names the setting that chooses another.
    """
    # An engine elsewhere publishes the ports on its own machine.
    is_local = os.environ.get("DOCKER_HOST", "unix://").startswith("unix://")
    if not is_local or succeeds("exec", "-T", "caddy", "true"):
        return
    for published in ports_of("caddy"):
        error = listening_error(published.address, published.port)
        if error is None or error.errno == errno.EACCES:  # the engine may use ports that this user may not
            continue
        where = f"Port {published.port} of {published.address}"
        if error.errno != errno.EADDRINUSE:
            raise StepFailed(
                f"{where} cannot be used ({error.strerror}): set BIND_ADDRESS to an address of this machine."
            )
        setting = _PORT_SETTINGS.get(published.target)
        choice = f", or set {setting}={published.port + 1} in .env" if setting else ""
        raise StepFailed(f"{where} is taken: stop the program that listens there{choice}, then run make up again.")


def password() -> None:
    """Set a new password everywhere: ``ADMIN_PASSWORD``, else a random one."""
    settings = read_settings(SETTINGS)
    if "ADMIN_USER" not in settings:
        raise StepFailed("There is no platform yet: run make up.")
    renew_password(SECRETS, settings["ADMIN_USER"], os.environ.get("ADMIN_PASSWORD", ""))
    if succeeds("exec", "-T", "grafana", "true"):
        compose("Restarting Caddy and Grafana", "up", "--detach", "--wait", "--force-recreate", "caddy", "grafana")
    # Grafana reads the file only when it creates its database.
    change = "grafana cli admin reset-admin-password --password-from-stdin < /run/secrets/grafana_admin_password"
    if not succeeds("exec", "-T", "grafana", "sh", "-c", change):
        print("Grafana did not accept the new password: run make reset-grafana, which replaces its database.")
    print(f"The new password is in {SECRETS / ADMIN_PASSWORD}.")


def reset_grafana() -> None:
    """Replace Grafana's database. Shipped dashboards come from files; what people created in Grafana is lost."""
    compose("Stopping Grafana", "rm", "--stop", "--force", "grafana")
    volume_named("grafana_data").remove()
    compose("Starting Grafana", "up", "--detach", "--wait", "grafana")
    print("Grafana has a new database and the password of the platform.")


def addresses(settings: dict[str, str]) -> str:
    """Describe the addresses of the platform, and where the credentials are.

    Examples
    --------
    >>> print(addresses({"ADMIN_USER": "admin", "SITE_ADDRESS": "example.org"}).splitlines()[3])
      Grafana       https://example.org/grafana/
    """
    site = settings.get("SITE_ADDRESS")
    host = settings.get("BIND_ADDRESS", "127.0.0.1").replace("0.0.0.0", "127.0.0.1")

    def at(path: str, name: str, port: str) -> str:
        return f"https://{site}/{path}" if site else f"http://{host}:{settings.get(name, port)}/"

    return f"""
Isowatch is up; make down stops it and keeps metrics, models and records.
  Service       {at("", "SERVICE_PORT", "8000")}
  Grafana       {at("grafana/", "GRAFANA_PORT", "3000")}
  Prometheus    {at("prometheus/", "PROMETHEUS_PORT", "9090")}
  Alertmanager  {at("alertmanager/", "ALERTMANAGER_PORT", "9093")}
The user is {settings["ADMIN_USER"]}, the password is in {SECRETS / ADMIN_PASSWORD}.
To sign in to the console at the service's address, use the key at the end of {SECRETS / CONSOLE_KEYS} (sudo cat).
To send labels from a program, use the key in {SECRETS / FEEDBACK_KEYS}."""


def _let_containers_read(folder: Path) -> None:
    """Make the configuration readable: containers could not read a clone made under a strict umask."""
    for path in [folder, *folder.rglob("*")]:
        wanted = path.stat().st_mode | _READABLE | (_ENTERABLE if path.is_dir() else 0)
        if path.stat().st_mode != wanted:
            path.chmod(wanted)


COMMANDS = {"up": up, "password": password, "reset-grafana": reset_grafana}


def main() -> int:
    """Run the requested command."""
    try:
        require_compose()
        COMMANDS[sys.argv[1]]()
    except StepFailed as error:
        print(f"isowatch: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
