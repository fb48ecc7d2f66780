"""Errors of `make monitor`; tests/system/test_monitor.py runs it for real."""

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


def write_fake(folder, name, version, then="exit 0"):
    """Write a fake program that prints a version and does nothing else."""
    program = folder / name
    program.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit; fi\n{then}\n')
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path):
    """Return a folder for PATH with fakes of both programs in supported versions."""
    folder = tmp_path / "programs"
    folder.mkdir()
    write_fake(folder, "prometheus", PROMETHEUS)
    write_fake(folder, "alertmanager", ALERTMANAGER)
    return folder


@pytest.fixture
def monitor(programs, tmp_path):
    """Return a function that runs the script as the Makefile does, with the fakes and on free ports."""

    def run(**variables):
        free = {name: str(free_port()) for name in ("PROMETHEUS_PORT", "ALERTMANAGER_PORT")}
        environ = {"PATH": f"{programs}:/usr/bin:/bin", "MONITOR_DIR": str(tmp_path / "monitor")} | free | variables
        return subprocess.run(
            [sys.executable, "-m", "scripts.monitor"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
        )

    return run


def assert_refused(done, *parts):
    """Check that it failed with one line that contains these parts."""
    assert done.returncode == 1
    assert done.stdout == ""
    [message] = done.stderr.splitlines()
    for part in parts:
        assert part in message


@pytest.mark.parametrize("version", ["2.42.0", "3.4.2", "3.0.1"])
def test_old_prometheus_is_refused(version, programs, monitor):
    """The message has its version, the required version, and where to read on."""
    write_fake(programs, "prometheus", f"prometheus, version {version}+ds (branch: debian/sid)")

    assert_refused(monitor(), f"is {version}", "Prometheus 3.5 or newer", "docs/native.md")


def test_old_alertmanager_is_refused(programs, monitor):
    """It does not support all receivers."""
    write_fake(programs, "alertmanager", "alertmanager, version 0.27.0 (branch: HEAD)")

    assert_refused(monitor(), "is 0.27.0", "Alertmanager 0.28 or newer", "docs/native.md")


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_missing_program_is_reported(name, programs, monitor):
    """And nothing is started."""
    (programs / name).unlink()

    assert_refused(monitor(), f"{name.title()} is not on PATH", "docs/native.md")


def test_program_name_of_debian_is_found(programs, monitor):
    """Debian calls it prometheus-alertmanager."""
    (programs / "alertmanager").unlink()
    write_fake(programs, "prometheus-alertmanager", "alertmanager, version 0.27.0")

    assert_refused(monitor(), "prometheus-alertmanager is 0.27.0")


def test_other_program_of_the_same_name_is_refused(programs, monitor):
    """A program that prints no version may be anything."""
    write_fake(programs, "prometheus", "Prometheus brings fire")

    assert_refused(monitor(), "does not print its version")


def test_program_that_does_not_run_is_refused(programs, monitor):
    """A program for another kind of machine is reported without a traceback."""
    (programs / "prometheus").write_bytes(b"\x7fELF")

    assert_refused(monitor(), f"{programs}/prometheus does not run")


@pytest.mark.parametrize("variable", ["PROMETHEUS_PORT", "ALERTMANAGER_PORT"])
def test_port_in_use_is_reported(variable, monitor):
    """In one line that says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        done = monitor(**{variable: str(port)})

    assert_refused(done, f"Port {port} is taken", f"make monitor {variable}=")


@pytest.mark.parametrize("port", ["http", "80", "65536", "-1"])
def test_invalid_port_is_refused(port, monitor):
    """The message has the valid range."""
    assert_refused(monitor(PROMETHEUS_PORT=port), f"PROMETHEUS_PORT={port} is not a port", "1024 to 65535")


@pytest.mark.parametrize("bind", ["unix:/run/isowatch.sock", "fd://3", "localhost", "127.0.0.1:http"])
def test_service_that_prometheus_cannot_reach_is_refused(bind, monitor):
    """The message has an example of an address that can be scraped."""
    assert_refused(monitor(BIND=bind), f"BIND={bind} cannot be monitored", "BIND=127.0.0.1:8000")


def test_missing_alertmanager_configuration_is_reported(monitor):
    """Before anything starts."""
    assert_refused(monitor(ALERTMANAGER_CONFIG="nowhere.yml"), "ALERTMANAGER_CONFIG=", "nowhere.yml is not a file")


def test_program_that_exits_is_reported_with_its_log(programs, monitor, tmp_path):
    """The end of its log is printed, and the other program is stopped."""
    started, ended = tmp_path / "started", tmp_path / "ended"
    write_fake(
        programs,
        "alertmanager",
        ALERTMANAGER,
        then=f"trap 'echo > {ended}; exit' TERM; echo > {started}; while :; do sleep 0.05; done",
    )
    # Fails only once the other program runs, so that there is something to stop.
    fails = f"while [ ! -e {started} ]; do sleep 0.05; done; echo the disk is full >&2; exit 3"
    write_fake(programs, "prometheus", PROMETHEUS, then=fails)

    done = monitor()

    assert done.returncode == 1
    assert "Prometheus exited" in done.stderr
    assert done.stderr.splitlines()[-1] == "the disk is full"
    assert "Traceback" not in done.stderr
    assert ended.exists()


def test_make_passes_its_variables_on(programs, tmp_path):
    """Ports of make's command line reach the script, and the address is that of `make run`."""
    write_fake(programs, "prometheus", PROMETHEUS, then="echo ended; exit 1")
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
