"""Docker Compose for the platform's scripts: a step that fails raises an error with one sentence for the user."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

# The first version that understands `!override` in docker-compose.site.yml.
OLDEST = (2, 24)

# Enough for the step of a build that failed, and few enough to be read.
_LINES_OF_A_FAILURE = 30


class StepFailed(Exception):
    """A step of starting or changing the platform failed; the message says which, and what to do."""


def require_compose() -> None:
    """Check that an engine answers and that its Compose is new enough.

    Raises
    ------
    StepFailed
        If not; the message says what to install or start.
    """
    try:
        _output(["docker", "info", "--format", "{{.ServerVersion}}"])
    except FileNotFoundError:
        raise StepFailed("docker is not installed: install Docker Engine with Compose, or use make run.") from None
    except subprocess.CalledProcessError as error:
        raise StepFailed(f"Docker does not answer ({error.stderr.strip()}): start it, or use make run.") from None
    try:
        version = _output(["docker", "compose", "version", "--short"])
    except subprocess.CalledProcessError:
        raise StepFailed("Docker has no Compose: install its plugin docker-compose, or use make run.") from None
    if is_too_old(version):
        oldest = ".".join(map(str, OLDEST))
        raise StepFailed(f"Docker Compose {version} is too old: install {oldest} or newer.")


def is_too_old(version: str) -> bool:
    """Return whether a version of Compose is too old for our files.

    Examples
    --------
    >>> is_too_old("2.23.3-desktop.1"), is_too_old("v2.24.0"), is_too_old("5.6.1")
    (True, False, False)
    """
    major, minor = version.lstrip("v").split(".")[:2]
    return (int(major), int(minor)) < OLDEST


def compose(step: str, *arguments: str) -> None:
    """Run ``docker compose``, and print the step and what came of it.

    A terminal shows Docker's own progress, which overwrites itself. Elsewhere, the hundreds of lines of a build are
    shown only if it fails.

    Raises
    ------
    StepFailed
        If it fails; the message starts with ``step``.
    """
    is_terminal = sys.stdout.isatty()
    print(f"{step} ...", flush=True)
    run = subprocess.run(
        ["docker", "compose", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=None if is_terminal else subprocess.PIPE,
        stderr=None if is_terminal else subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if run.returncode != 0:
        print(*(run.stdout or "").splitlines()[-_LINES_OF_A_FAILURE:], sep="\n", file=sys.stderr)
        raise StepFailed(f"{step} failed; see the output of Docker above.")


def succeeds(*arguments: str) -> bool:
    """Return whether a ``docker compose`` command succeeds; its output is discarded."""
    command = ["docker", "compose", *arguments]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def image_of(service: str) -> str:
    """Return the image of a service; its version is pinned in docker-compose.yml only."""
    image: str = _configuration()["services"][service]["image"]
    return image


@dataclass(frozen=True)
class PublishedPort:
    """A port that a container publishes on this machine.

    Parameters
    ----------
    address, port
        Where programs on this machine connect.
    target
        The port inside the container.
    """

    address: str
    port: int
    target: int


def ports_of(service: str) -> list[PublishedPort]:
    """Return the TCP ports that a service publishes, as the settings choose them."""
    ports = _configuration()["services"][service]["ports"]
    return [
        PublishedPort(each.get("host_ip", "0.0.0.0"), int(each["published"]), int(each["target"]))
        for each in ports
        if each["protocol"] == "tcp"
    ]


@dataclass(frozen=True)
class Volume:
    """A named volume of this project."""

    name: str

    def remove(self) -> None:
        """Remove the volume if it exists."""
        known = _output(["docker", "volume", "ls", "--quiet"]).splitlines()
        if self.name in known:
            _output(["docker", "volume", "rm", self.name])


def volume_named(name: str) -> Volume:
    """Return a volume of docker-compose.yml under its full name, which starts with the project's name."""
    return Volume(_configuration()["volumes"][name]["name"])


def run_image(step: str, image: str, *command: str, options: tuple[str, ...] = (), text: str = "") -> str:
    """Run a command in an image, without network and capabilities except ``options``, and return its output.

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
    """Read the configuration that Compose resolves from its files."""
    configuration: dict[str, Any] = json.loads(_output(["docker", "compose", "config", "--format", "json"]))
    return configuration


def _output(command: list[str]) -> str:
    """Run a command that must succeed, and return its output."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
