"""A healthy client is answered within a second, whatever slow, silent, deaf and breaking clients do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import attacks
from tests.system.healthy_client import ASKED, HealthyClient
from tests.system.raw_http import port_of
from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = [pytest.mark.system, pytest.mark.alone]

# Duration of an attack, and with --long.
SECONDS, SECONDS_IN_FULL = 3, 30

# The attacker prints its figures after its last second; a busy machine needs several more.
GRACE_SECONDS = 30


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service as shipped with two workers."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models) as running:
        wait_until(lambda: running.metric("app_workers") == 2, "two workers", running)
        running.session.close()
        yield running


# A machine that is busy with something else delays answers as well. It does so now and then, while a service that can
# be stopped fails every time: an attack counts as survived if it is in one of this many tries.
TRIES = 2


@pytest.mark.parametrize(("name", "count"), attacks.ATTACKS, ids=[f"{count}_{name}" for name, count in attacks.ATTACKS])
def test_attack_stops_nobody(service: RunningService, name: str, count: int, is_long: bool):
    """Every request of a healthy client is answered in time, on new and kept connections, and no worker ends."""
    seconds = SECONDS_IN_FULL if is_long else SECONDS
    workers = service.workers()
    for _ in range(TRIES):
        client = attack(service, name, count, seconds)
        if not client.failures:
            break

    assert client.failures == []
    # Several in each second, in each of the ways to ask.
    assert len(client.answered) == 2 * len(ASKED)
    assert min(client.answered.values()) > 2 * seconds
    assert service.workers() == workers
    assert "Traceback" not in service.log()


def attack(service: RunningService, name: str, count: int, seconds: int) -> HealthyClient:
    """Attack the service while a healthy client asks, and return the client."""
    command = [sys.executable, attacks.__file__, name, str(count), str(port_of(service)), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as attacker:
        assert attacker.stdout is not None
        assert attacker.stdout.readline() == "attacking\n"
        with HealthyClient(service) as client:
            figures = attacker.communicate(timeout=seconds + GRACE_SECONDS)[0]
    assert attacker.returncode == 0
    assert json.loads(figures)["opened"] >= count
    # Visible with -s.
    print(f"{count} {name}: {figures.strip()}, answered {client.answered.total()}, failed {len(client.failures)}")
    return client
