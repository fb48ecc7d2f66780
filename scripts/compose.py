"""Docker Compose as the platform's scripts use it: a step that fails ends them with a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

# The first version that understands `!override` in docker-compose.site.yml.
OLDEST = (2, 24)


class StepFailed(Exception):
    """A step of starting or changing the platform failed; the text says which, and what to do."""


def require_compose() -> None:
    """Make sure that an engine answers and that its Compose is new enough.

    Raises
    ------
    StepFailed
        If not, with what to install or start.
    """
    try:
        _said(["docker", "info", "--format", "{{.ServerVersion}}"])
    except FileNotFoundError:
        raise StepFailed("docker is not installed: install Docker Engine with Compose, or say make run.") from None
    except subprocess.CalledProcessError as error:
        raise StepFailed(f"Docker does not answer ({error.stderr.strip()}): start it, or say make run.") from None
    try:
        version = _said(["docker", "compose", "version", "--short"])
    except subprocess.CalledProcessError:
        raise StepFailed("Docker has no Compose: install its plugin docker-compose, or say make run.") from None
    if is_too_old(version):
        oldest = ".".join(map(str, OLDEST))
        raise StepFailed(f"Docker Compose {version} is too old: install {oldest} or newer.")


def is_too_old(version: str) -> bool:
    """Tell whether a version of Compose does not understand our files.

    Examples
    --------
    >>> is_too_old("2.23.3-desktop.1"), is_too_old("v2.24.0"), is_too_old("5.6.1")
    (True, False, False)
    """
    major, minor = version.lstrip("v").split(".")[:2]
    return (int(major), int(minor)) < OLDEST


def compose(step: str, *arguments: str) -> None:
    """Run ``docker compose``, whose output is shown.

    Raises
    ------
    StepFailed
        If it fails: ``step`` says what could not be done.
    """
    sys.stdout.flush()
    run = subprocess.run(["docker", "compose", *arguments], stdin=subprocess.DEVNULL)
    if run.returncode != 0:
        raise StepFailed(f"{step} failed; what Docker said stands above.")


def succeeds(*arguments: str) -> bool:
    """Tell whether a ``docker compose`` command that changes nothing succeeds."""
    command = ["docker", "compose", *arguments]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def image_of(service: str) -> str:
    """Name the image of a service: its version stands in docker-compose.yml alone."""
    image: str = _configuration()["services"][service]["image"]
    return image


@dataclass(frozen=True)
class Volume:
    """A named volume of this project."""

    name: str

    def remove(self) -> None:
        """Remove it, if it is there."""
        known = _said(["docker", "volume", "ls", "--quiet"]).splitlines()
        if self.name in known:
            _said(["docker", "volume", "rm", self.name])


def volume_named(name: str) -> Volume:
    """Find out what the engine calls a volume of docker-compose.yml: the project's name stands before it."""
    return Volume(_configuration()["volumes"][name]["name"])


def run_image(step: str, image: str, *command: str, options: tuple[str, ...] = (), text: str = "") -> str:
    """Run a command of an image, without a network or rights besides ``options``, and return what it prints.

    Raises
    ------
    StepFailed
        If it fails.
    """
    run = subprocess.run(
        ["docker", "run", "--rm", "--interactive", "--network", "none", "--cap-drop", "ALL", *options, image, *command],
        input=text,
        capture_output=True,
        text=True,
    )
    if run.returncode != 0:
        raise StepFailed(f"{step} failed: {run.stderr.strip() or run.stdout.strip()}")
    return run.stdout.strip()


def _configuration() -> dict[str, Any]:
    """Read what Compose makes of its files."""
    configuration: dict[str, Any] = json.loads(_said(["docker", "compose", "config", "--format", "json"]))
    return configuration


def _said(command: list[str]) -> str:
    """Run a command, which must succeed, and return what it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
