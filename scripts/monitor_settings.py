"""The settings of ``make monitor``, from environment variables."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from scripts.monitor_programs import MonitorRefused
from scripts.print_urls import url_of

ROOT = Path(__file__).resolve().parent.parent

# Neither program asks for a password, so they listen on the loopback address only.
_HOST = "127.0.0.1"

# Lower ones are reserved for administrators.
_LOWEST_PORT, _HIGHEST_PORT = 1024, 65535


@dataclass(frozen=True)
class MonitorSettings:
    """The settings; addresses are ``host:port``, as seen from this machine.

    Parameters
    ----------
    service
        Address of the monitored service (``BIND``).
    prometheus, alertmanager
        Addresses to listen on (``PROMETHEUS_PORT``, ``ALERTMANAGER_PORT``).
    alertmanager_configuration
        Who is notified (``ALERTMANAGER_CONFIG``).
    folder
        Folder of data, logs and effective configurations (``MONITOR_DIR``).
    """

    service: str
    prometheus: str
    alertmanager: str
    alertmanager_configuration: Path
    folder: Path

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> MonitorSettings:
        """Read the variables; an empty one counts as absent.

        Raises
        ------
        MonitorRefused
            If a variable is wrong, or a port is taken.
        """
        configuration = ROOT / (environ.get("ALERTMANAGER_CONFIG") or "monitoring/alertmanager/alertmanager.yml")
        if not configuration.is_file():
            raise MonitorRefused(f"ALERTMANAGER_CONFIG={configuration} is not a file: name one, or leave it out.")
        return cls(
            service=service_address(environ.get("BIND") or "127.0.0.1:8000"),
            prometheus=free_address("PROMETHEUS_PORT", environ.get("PROMETHEUS_PORT") or "9090"),
            alertmanager=free_address("ALERTMANAGER_PORT", environ.get("ALERTMANAGER_PORT") or "9093"),
            alertmanager_configuration=configuration,
            folder=ROOT / (environ.get("MONITOR_DIR") or ".monitor"),
        )


def service_address(bind: str) -> str:
    """Return the address at which a service that listens on ``bind`` is scraped.

    Raises
    ------
    MonitorRefused
        If Prometheus cannot reach it.

    Examples
    --------
    >>> service_address("0.0.0.0:8001")
    '127.0.0.1:8001'
    """
    address = urlsplit(url_of(bind)).netloc
    host, _, port = address.rpartition(":")
    if bind.startswith(("unix:", "fd://")) or not (host and port.isascii() and port.isdigit()):
        raise MonitorRefused(f"BIND={bind} cannot be monitored: use host:port, for example BIND=127.0.0.1:8000.")
    return address


def free_address(variable: str, port: str) -> str:
    """Return the address of a port, and check that it is free.

    Raises
    ------
    MonitorRefused
        If it is not a port, or taken.

    Examples
    --------
    >>> free_address("PROMETHEUS_PORT", "0")
    Traceback (most recent call last):
    scripts.monitor_programs.MonitorRefused: PROMETHEUS_PORT=0 is not a port: use a number from 1024 to 65535.
    """
    if not (port.isascii() and port.isdigit() and _LOWEST_PORT <= int(port) <= _HIGHEST_PORT):
        raise MonitorRefused(f"{variable}={port} is not a port: use a number from {_LOWEST_PORT} to {_HIGHEST_PORT}.")
    with socket.socket() as probe:
        # As both programs do it: a port whose old connections are in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, int(port)))
        except OSError:
            raise MonitorRefused(
                f"Port {port} is taken: stop what listens there, or use another one: make monitor {variable}=..."
            ) from None
    return f"{_HOST}:{port}"
