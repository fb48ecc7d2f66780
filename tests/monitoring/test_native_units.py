"""The systemd units in docs/native.md: they are valid, hardened, and have flags that the programs accept."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from tests.system.running_service import STOP_SECONDS, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "native.md").read_text()

# In tenths. Below it, systemd rates a unit as OK; an unhardened one has an exposure above 9.
MAX_EXPOSURE_TENTHS = 25

UNITS = ["isowatch.service", "isowatch-prometheus.service", "isowatch-alertmanager.service"]

# The base units of the system, which ours depend on.
SYSTEM_UNITS = Path("/usr/lib/systemd/system")


def blocks():
    """Map the file name in the first line of each unit block to the block."""
    return dict(re.findall(r"```ini\n# (\S+)\n(.*?)```", DOCUMENT, re.DOTALL))


def exec_start(unit):
    """Return the command of a unit as a list of words."""
    [command] = re.findall(r"^ExecStart=((?:.*\\\n)*.*)$", blocks()[unit], re.MULTILINE)
    return shlex.split(command.replace("\\\n", " "))


@pytest.fixture
def system_root(tmp_path, require_program):
    """A root folder with the system's base units, our units, and a program at each path that they name."""
    require_program("systemd-analyze")
    shutil.copytree(SYSTEM_UNITS, tmp_path / SYSTEM_UNITS.relative_to("/"), symlinks=True)
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    for unit in UNITS:
        (folder / unit).write_text(blocks()[unit])
        for program in (exec_start(unit)[0], "/bin/kill"):
            path = tmp_path / program.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("#!/bin/sh\n")
            path.chmod(0o755)
    return tmp_path


def analyze(root, *arguments):
    """Run systemd-analyze on the units in a root folder."""
    return subprocess.run(["systemd-analyze", f"--root={root}", *arguments], capture_output=True, text=True, timeout=60)


def test_every_unit_is_documented():
    """The document contains exactly the three units and Grafana's settings."""
    assert list(blocks()) == [*UNITS, "grafana-server.service.d/isowatch.conf"]


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_valid(unit, system_root):
    """Systemd verifies each unit without a warning."""
    done = analyze(system_root, "--recursive-errors=no", "verify", unit)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_hardened(unit, system_root):
    """Systemd rates the exposure of each unit as low."""
    done = analyze(system_root, "security", "--offline=true", f"--threshold={MAX_EXPOSURE_TENTHS}", unit)

    assert done.returncode == 0, done.stdout


@pytest.mark.system
@pytest.mark.parametrize(
    ("unit", "program"),
    [("isowatch-prometheus.service", "prometheus"), ("isowatch-alertmanager.service", "alertmanager")],
)
def test_program_starts_with_the_flags_of_its_unit(unit, program, tmp_path, require_program):
    """The real program starts with the command of its unit; only folders and the port are replaced."""
    command = exec_start(unit)
    assert command[0] == f"/usr/local/bin/{program}"
    port = free_port()
    replacements = {
        "/opt/isowatch": str(ROOT),
        "/etc/isowatch/alertmanager.yml": str(ROOT / "monitoring/alertmanager/examples/slack.yml"),
        f"/var/lib/isowatch-{program}": str(tmp_path / "data"),
    }
    flags = [re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", flag) for flag in command[1:]]
    for path, replacement in replacements.items():
        flags = [flag.replace(path, replacement) for flag in flags]

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([require_program(program), *flags], stdout=log, stderr=log)
    try:
        wait_until(lambda: is_ready(process, port, tmp_path / "log"), f"{program} to be ready")
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def test_service_stops_later_than_its_workers():
    """Systemd waits longer than Gunicorn does for running requests."""
    unit = blocks()["isowatch.service"]
    [graceful] = re.findall(r"GRACEFUL_TIMEOUT=(\d+)", unit)
    [stop] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)

    assert int(stop) > int(graceful)


def test_service_can_write_only_state_and_records():
    """Systemd creates the folders for state and records, inaccessible to others; everything else is read-only."""
    unit = blocks()["isowatch.service"]
    [directories] = re.findall(r"^StateDirectory=(.+)$", unit, re.MULTILINE)
    [state] = re.findall(r"STATE_DIR=(\S+)", unit)
    [records] = re.findall(r"DATABASE_URL=sqlite:///(\S+)", unit)

    assert {state, str(Path(records).parent)} == {f"/var/lib/{folder}" for folder in directories.split()}
    assert "ProtectSystem=strict\n" in unit
    assert "StateDirectoryMode=0700\n" in unit


def test_keys_file_is_created():
    """The commands before the unit create the key file that it names, for the user that it names."""
    unit = blocks()["isowatch.service"]
    [keys] = re.findall(r"FEEDBACK_API_KEYS_FILE=(\S+)", unit)
    [user] = re.findall(r"^User=(.+)$", unit, re.MULTILINE)

    assert f"install -g {user} -m 640 /dev/stdin {keys}\n" in DOCUMENT


def test_secrets_are_mounted_where_the_examples_expect_them():
    """The folder of the secrets is mounted at the path used in every example."""
    unit = blocks()["isowatch-alertmanager.service"]

    assert re.search(r"^BindReadOnlyPaths=/etc/isowatch/alertmanager:/run/secrets/alertmanager$", unit, re.MULTILINE)


def test_versions_are_those_of_compose():
    """The documented downloads are the versions that Compose runs."""
    compose = (ROOT / "docker-compose.yml").read_text()

    for image, version in re.findall(r"prometheus/(\w+):([\d.]+)", DOCUMENT):
        assert f"prom/{image}:v{version}" in compose


def is_ready(process, port, log):
    """Return whether the program reports that it is ready."""
    assert process.poll() is None, log.read_text()
    try:
        return requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=30).status_code == 200
    except requests.ConnectionError:
        return False
