"""The systemd units in docs/native.md: valid, closed, and with flags that the real programs take."""

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

# Below it systemd calls a unit OK; one that is not hardened has 9.
HIGHEST_EXPOSURE_TENTHS = 25

UNITS = ["isowatch.service", "isowatch-prometheus.service", "isowatch-alertmanager.service"]

# The base units of the machine, which ours refer to.
SYSTEM_UNITS = Path("/usr/lib/systemd/system")


def blocks():
    """Map the name in the first line of each block of units to the block."""
    return dict(re.findall(r"```ini\n# (\S+)\n(.*?)```", DOCUMENT, re.DOTALL))


def exec_start(unit):
    """Give the command of a unit as a list of words."""
    [command] = re.findall(r"^ExecStart=((?:.*\\\n)*.*)$", blocks()[unit], re.MULTILINE)
    return shlex.split(command.replace("\\\n", " "))


@pytest.fixture
def system_root(tmp_path, require_program):
    """A root folder with the machine's base units, our units, and a program at each place that they name."""
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
    """Let systemd-analyze look at units below a root folder."""
    return subprocess.run(["systemd-analyze", f"--root={root}", *arguments], capture_output=True, text=True, timeout=60)


def test_every_unit_is_there():
    """The document holds the three units and Grafana's settings, and nothing that no test knows."""
    assert list(blocks()) == [*UNITS, "grafana-server.service.d/isowatch.conf"]


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_valid(unit, system_root):
    """Systemd itself finds nothing to say about a unit."""
    done = analyze(system_root, "--recursive-errors=no", "verify", unit)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_hardened(unit, system_root):
    """A program that was broken into can do little: systemd rates its exposure as low."""
    done = analyze(system_root, "security", "--offline=true", f"--threshold={HIGHEST_EXPOSURE_TENTHS}", unit)

    assert done.returncode == 0, done.stdout


@pytest.mark.system
@pytest.mark.parametrize(
    ("unit", "program"),
    [("isowatch-prometheus.service", "prometheus"), ("isowatch-alertmanager.service", "alertmanager")],
)
def test_program_starts_with_the_flags_of_its_unit(unit, program, tmp_path, require_program):
    """The real program takes the command as it stands, but for folders and the port, and is ready."""
    command = exec_start(unit)
    assert command[0] == f"/usr/local/bin/{program}"
    port = free_port()
    places = {
        "/opt/isowatch": str(ROOT),
        "/etc/isowatch/alertmanager.yml": str(ROOT / "monitoring/alertmanager/examples/slack.yml"),
        f"/var/lib/isowatch-{program}": str(tmp_path / "data"),
    }
    flags = [re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", flag) for flag in command[1:]]
    for place, stand_in in places.items():
        flags = [flag.replace(place, stand_in) for flag in flags]

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([require_program(program), *flags], stdout=log, stderr=log)
    try:
        wait_until(lambda: is_ready(process, port, tmp_path / "log"), f"{program} to be ready")
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def test_service_stops_later_than_its_workers():
    """Systemd kills no request that Gunicorn still waits for."""
    unit = blocks()["isowatch.service"]
    [graceful] = re.findall(r"GRACEFUL_TIMEOUT=(\d+)", unit)
    [stop] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)

    assert int(stop) > int(graceful)


def test_service_may_write_where_it_is_told_to():
    """Systemd makes the folders of the state and of the records, closed to others; all else is read-only."""
    unit = blocks()["isowatch.service"]
    [made] = re.findall(r"^StateDirectory=(.+)$", unit, re.MULTILINE)
    [state] = re.findall(r"STATE_DIR=(\S+)", unit)
    [records] = re.findall(r"DATABASE_URL=sqlite:///(\S+)", unit)

    assert {state, str(Path(records).parent)} == {f"/var/lib/{folder}" for folder in made.split()}
    assert "ProtectSystem=strict\n" in unit
    assert "StateDirectoryMode=0700\n" in unit


def test_keys_lie_where_the_unit_says():
    """The commands before the unit make the file that it names, for the user whom it names."""
    unit = blocks()["isowatch.service"]
    [keys] = re.findall(r"FEEDBACK_API_KEYS_FILE=(\S+)", unit)
    [user] = re.findall(r"^User=(.+)$", unit, re.MULTILINE)

    assert f"install -g {user} -m 640 /dev/stdin {keys}\n" in DOCUMENT


def test_secrets_are_shown_where_the_examples_look_for_them():
    """The folder of the secrets appears under the name that stands in every example."""
    unit = blocks()["isowatch-alertmanager.service"]

    assert re.search(r"^BindReadOnlyPaths=/etc/isowatch/alertmanager:/run/secrets/alertmanager$", unit, re.MULTILINE)


def test_versions_are_those_of_compose():
    """The archives to install are of the releases that Compose runs."""
    compose = (ROOT / "docker-compose.yml").read_text()

    for image, version in re.findall(r"prometheus/(\w+):([\d.]+)", DOCUMENT):
        assert f"prom/{image}:v{version}" in compose


def is_ready(process, port, log):
    """Tell whether the program answers that it is ready."""
    assert process.poll() is None, log.read_text()
    try:
        return requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=30).status_code == 200
    except requests.ConnectionError:
        return False
