"""Three replicas with PostgreSQL behind Caddy: replaced one after the other under load, recorded, backed up, restored.

The tests share the platform of test_platform.py, and each continues from the state that the previous one left.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.platform.running_platform import ROOT, RunningPlatform

pytestmark = [pytest.mark.platform, pytest.mark.timeout(900)]

N_REPLICAS, N_CLIENTS = 3, 4

_ROW = json.dumps({"feature_vector": [0.56, 0.23]})


class Load:
    """Clients that send predictions through Caddy, each over one connection.

    Parameters
    ----------
    port
        Caddy's.
    n_requests
        At least so many are sent.
    """

    def __init__(self, port: int, n_requests: int) -> None:
        self.results: Counter[str] = Counter()
        self._port, self._n_requests = port, n_requests
        self._may_end, self._lock = threading.Event(), threading.Lock()
        self._clients = [threading.Thread(target=self._send) for _ in range(N_CLIENTS)]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            self._n_requests = 0
        self._may_end.set()
        for client in self._clients:
            client.join()

    def _send(self) -> None:
        """Send until enough were sent and the replacement is over."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._may_end.is_set() or self.results.total() < self._n_requests:
            try:
                connection.request("POST", "/prediction", _ROW, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
                result = str(response.status)
            except OSError as error:
                result = repr(error)
                connection.close()
            with self._lock:
                self.results[result] += 1
        connection.close()


def count_records(platform: RunningPlatform) -> int:
    """Count the recorded rows in PostgreSQL."""
    count = ("psql", "--username=isowatch", "--tuples-only", "--command", "SELECT count(*) FROM predictions")
    return int(platform.compose("exec", "-T", "postgres", *count))


def test_make_up_starts_postgres_for_all_replicas(platform: RunningPlatform):
    """`make up DATABASE=postgres` is all that several replicas need to record their answers."""
    up = platform.run("make", "up", "DATABASE=postgres", timeout=500)
    assert up.returncode == 0, up.stdout + up.stderr
    assert (platform.folder / ".env").stat().st_mode & 0o777 == 0o600

    platform.compose("up", "--detach", "--wait", "--no-recreate", "--scale", f"service={N_REPLICAS}")

    assert len(platform.containers("service")) == N_REPLICAS
    status = platform.compose("exec", "-T", "service", "python", "-m", "app.records", "status")
    assert "postgresql://isowatch@postgres/isowatch" in status


def test_no_request_fails_while_all_replicas_are_replaced(platform: RunningPlatform, is_long: bool):
    """A new replica is healthy before an old one ends, as in Kubernetes; and every answer is recorded once."""
    before = count_records(platform)
    old = platform.containers("service")
    with Load(platform.ports["SERVICE_PORT"], n_requests=100_000 if is_long else 1_000) as load:
        for container in old:
            scaled = ("--no-recreate", "--scale", f"service={N_REPLICAS + 1}", "service")
            platform.compose("up", "--detach", "--wait", "--no-deps", *scaled)
            # SIGTERM, and 40 s for requests in progress.
            subprocess.run(["docker", "stop", "--time", "40", container], check=True, capture_output=True)
            subprocess.run(["docker", "rm", container], check=True, capture_output=True)

    assert len(platform.containers("service")) == N_REPLICAS
    assert not set(old) & set(platform.containers("service"))
    assert set(load.results) == {"200"}, load.results
    sent = load.results.total()
    print(f"{sent:,} requests during the replacement of {N_REPLICAS} replicas, none failed")
    platform.wait_for(lambda: count_records(platform) - before >= sent, "the records")
    time.sleep(1)  # a row that is recorded twice would come now
    assert count_records(platform) - before == sent


def test_documented_backup_of_postgres_can_be_restored(platform: RunningPlatform, tmp_path: Path):
    """The commands of docs/backup.md."""
    page = (ROOT / "docs" / "backup.md").read_text().partition("With the server of Compose")[2]
    backup, restore = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[:2]
    n_records = count_records(platform)

    def run(script: str) -> None:
        done = platform.run("sh", "-ec", script)
        assert done.returncode == 0, done.stdout + done.stderr

    run(backup)
    lost = ("psql", "--username=isowatch", "--command", "DELETE FROM predictions")
    platform.compose("exec", "-T", "postgres", *lost)
    assert count_records(platform) == 0
    run(restore)

    assert count_records(platform) == n_records
