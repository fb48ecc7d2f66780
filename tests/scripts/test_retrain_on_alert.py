"""A notification from Alertmanager starts the command once."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from scripts.retrain_on_alert import Command, make_server
from tests.monitoring.running_alertmanager import start_alertmanager, write_configuration
from tests.system.running_service import wait_until

ROOT = Path(__file__).parents[2]

FIRING = {"alerts": [{"status": "firing", "labels": {"alertname": "RetrainingNeeded", "reason": "drift"}}]}


@pytest.fixture
def listen():
    """Return a function that serves until the test ends and returns the address."""
    servers = []

    def start(command: Command) -> str:
        server = make_server(0, command)
        servers.append((server, threading.Thread(target=server.serve_forever)))
        servers[-1][1].start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_firing_alert_starts_the_command_once(listen, tmp_path):
    """Repeated notifications do not start another training until the pause is over."""
    now = [0.0]
    command = Command(["sh", "-c", f"echo started >> {tmp_path}/runs"], pause_seconds=100, clock=lambda: now[0])
    address = listen(command)

    assert requests.post(address, json=FIRING, timeout=30).text == "started\n"
    wait_until(lambda: command._process.poll() is not None, "the end of the command")
    assert requests.post(address, json=FIRING, timeout=30).text == "it was started recently\n"
    now[0] = 101
    assert requests.post(address, json=FIRING, timeout=30).text == "started\n"
    wait_until(lambda: command._process.poll() is not None, "the end of the command")

    assert (tmp_path / "runs").read_text() == "started\n" * 2


def test_running_command_is_not_started_again(listen):
    """However long it takes."""
    command = Command(["cat"], pause_seconds=0)
    command._process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    address = listen(command)

    assert requests.post(address, json=FIRING, timeout=30).text == "it is running\n"

    command._process.communicate()


@pytest.mark.parametrize(
    "message",
    [
        {"alerts": [{"status": "resolved", "labels": {"alertname": "RetrainingNeeded"}}]},
        {"alerts": [{"status": "firing", "labels": {"alertname": "ServiceDown"}}]},
        {"alerts": []},
        [],
        "RetrainingNeeded",
    ],
)
def test_other_notifications_start_nothing(listen, message):
    """They get a successful answer, so that Alertmanager does not repeat them."""
    answer = requests.post(listen(Command(["false"], 0)), json=message, timeout=30)

    assert (answer.status_code, answer.text) == (200, "RetrainingNeeded does not fire\n")


def test_invalid_request_is_refused(listen):
    """Text that is not JSON, and an implausible length."""
    address = listen(Command(["false"], 0))

    assert requests.post(address, data="{", timeout=30).status_code == 400
    assert requests.post(address, headers={"Content-Length": "9999999"}, timeout=30).status_code == 400


def test_alertmanager_starts_the_command(require_program, tmp_path):
    """With a real Alertmanager and the program as a process."""
    done = tmp_path / "done"
    listening = subprocess.Popen(
        [sys.executable, ROOT / "scripts/retrain_on_alert.py", "--port", "0", "--", "touch", done],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = listening.stdout.readline().removeprefix("listening on ").strip()
        configuration = {
            "route": {"receiver": "retraining", "group_wait": "0s"},
            "receivers": [{"name": "retraining", "webhook_configs": [{"url": address, "send_resolved": False}]}],
        }
        with start_alertmanager(
            require_program("alertmanager"), tmp_path, write_configuration(tmp_path, configuration)
        ) as alertmanager:
            alertmanager.fire(alertname="RetrainingNeeded", reason="drift")
            wait_until(done.exists, "the command that the alert starts")
    finally:
        listening.terminate()
        listening.communicate()
