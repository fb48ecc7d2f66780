"""What `make monitor` says when something is missing or in the way; tests/system/test_monitor.py sees it run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.running_service import free_port

ROOT = Path(__file__).resolve().parents[2]

ALERTMANAGER = "alertmanager, version 0.34.2 (branch: HEAD)"
PROMETHEUS = "prometheus, version 3.13.4 (branch: HEAD)"


def fake(folder, name, version, then="exit 0"):
    """Make a fake program, which tells a version and does nothing else."""
    program = folder / name
    program.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit; fi\n{then}\n')
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path):
    """A folder for PATH with fakes of both programs, new enough."""
    folder = tmp_path / "programs"
    folder.mkdir()
    fake(folder, "prometheus", PROMETHEUS)
    fake(folder, "alertmanager", ALERTMANAGER)
    return folder


@pytest.fixture
def monitor(programs, tmp_path):
    """Run the script as the Makefile does, with the fakes and with ports that nobody has."""

    def run(**variables):
        free = {name: str(free_port()) for name in ("PROMETHEUS_PORT", "ALERTMANAGER_PORT")}
        environ = {"PATH": f"{programs}:/usr/bin:/bin", "MONITOR_DIR": str(tmp_path / "monitor")} | free | variables
        return subprocess.run(
            [sys.executable, "-m", "scripts.monitor"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
        )

    return run


def assert_refused(done, *parts):
    """It failed with one sentence that holds these parts."""
    assert done.returncode == 1
    assert done.stdout == ""
    [said] = done.stderr.splitlines()
    for part in parts:
        assert part in said


@pytest.mark.parametrize("version", ["2.42.0", "3.4.2", "3.0.1"])
def test_old_prometheus_is_refused(version, programs, monitor):
    """A Prometheus that reads our rules in another way is named with its version, the needed one and where to look."""
    fake(programs, "prometheus", f"prometheus, version {version}+ds (branch: debian/sid)")

    assert_refused(monitor(), f"is {version}", "Prometheus 3.5 or newer", "README.md", "Without Docker")


def test_old_alertmanager_is_refused(programs, monitor):
    """So is an Alertmanager that does not know all receivers."""
    fake(programs, "alertmanager", "alertmanager, version 0.27.0 (branch: HEAD)")

    assert_refused(monitor(), "is 0.27.0", "Alertmanager 0.28 or newer", "README.md")


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_missing_program_is_named(name, programs, monitor):
    """Without one of the programs nothing is started."""
    (programs / name).unlink()

    assert_refused(monitor(), f"{name.title()} is not on PATH", "README.md", "Without Docker")


def test_name_that_debian_gives_is_found(programs, monitor):
    """Debian's Alertmanager goes by a longer name."""
    (programs / "alertmanager").unlink()
    fake(programs, "prometheus-alertmanager", "alertmanager, version 0.27.0")

    assert_refused(monitor(), "prometheus-alertmanager is 0.27.0")


def test_other_program_of_the_name_is_refused(programs, monitor):
    """What tells no version may be anything."""
    fake(programs, "prometheus", "Prometheus brings fire")

    assert_refused(monitor(), "does not print its version")


def test_program_that_does_not_run_is_refused(programs, monitor):
    """A program for another kind of machine is named, without a traceback."""
    (programs / "prometheus").write_bytes(b"\x7fELF")

    assert_refused(monitor(), f"{programs}/prometheus does not run")


@pytest.mark.parametrize("variable", ["PROMETHEUS_PORT", "ALERTMANAGER_PORT"])
def test_taken_port_is_named(variable, monitor):
    """A port in use gets one sentence with a way out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        done = monitor(**{variable: str(port)})

    assert_refused(done, f"Port {port} is taken", f"make monitor {variable}=")


@pytest.mark.parametrize("port", ["http", "80", "65536", "-1"])
def test_port_that_is_none_is_refused(port, monitor):
    """What cannot be a port is named with what can."""
    assert_refused(monitor(PROMETHEUS_PORT=port), f"PROMETHEUS_PORT={port} is not a port", "1024 to 65535")


@pytest.mark.parametrize("bind", ["unix:/run/isowatch.sock", "fd://3", "localhost", "127.0.0.1:http"])
def test_service_that_prometheus_cannot_reach_is_refused(bind, monitor):
    """An address that cannot be scraped is named with an example of one that can."""
    assert_refused(monitor(BIND=bind), f"BIND={bind} cannot be monitored", "BIND=127.0.0.1:8000")


def test_missing_alertmanager_configuration_is_named(monitor):
    """A wrong path is said before anything starts."""
    assert_refused(monitor(ALERTMANAGER_CONFIG="nowhere.yml"), "ALERTMANAGER_CONFIG=", "nowhere.yml is not a file")


def test_program_that_ends_by_itself_is_shown_with_its_log(programs, monitor, tmp_path):
    """The last words of a program that fails are on the screen, and the other program is ended."""
    started, ended = tmp_path / "started", tmp_path / "ended"
    fake(
        programs,
        "alertmanager",
        ALERTMANAGER,
        then=f"trap 'echo > {ended}; exit' TERM; echo > {started}; while :; do sleep 0.05; done",
    )
    # Fails only when the other runs, so that there is something to end.
    fails = f"while [ ! -e {started} ]; do sleep 0.05; done; echo the disk is full >&2; exit 3"
    fake(programs, "prometheus", PROMETHEUS, then=fails)

    done = monitor()

    assert done.returncode == 1
    assert "Prometheus exited" in done.stderr
    assert done.stderr.splitlines()[-1] == "the disk is full"
    assert "Traceback" not in done.stderr
    assert ended.exists()


def test_make_hands_its_variables_on(programs, tmp_path):
    """Ports of make's command line reach the script, and the service is watched where make run starts it."""
    fake(programs, "prometheus", PROMETHEUS, then="echo ended; exit 1")
    folder = tmp_path / "monitor"
    ports = [free_port(), free_port()]
    variables = [
        "PORT=8765",
        f"PROMETHEUS_PORT={ports[0]}",
        f"ALERTMANAGER_PORT={ports[1]}",
        f"MONITOR_DIR={folder}",
        f"PYTHON={sys.executable}",
    ]

    done = subprocess.run(
        ["make", "monitor", *variables],
        cwd=ROOT,
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "Prometheus exited" in done.stderr
    written = (folder / "prometheus.yml").read_text()
    for address in ("127.0.0.1:8765", *(f"127.0.0.1:{port}" for port in ports)):
        assert address in written
