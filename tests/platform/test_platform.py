"""The whole platform, started as a newcomer starts it: from nothing, by `make up`, with real containers.

The tests share one platform and go on from each other's state, in the order in which they stand.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.platform.running_platform import RunningPlatform, alerts_told, inspect, recorded_names

pytestmark = [pytest.mark.platform, pytest.mark.timeout(600)]

ALWAYS_UP = {"service", "prometheus", "alertmanager", "pushgateway", "cadvisor", "node", "caddy"}
ROW = {"feature_vector": [0.56, 0.23]}


@pytest.fixture(scope="module")
def platform(docker: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A platform that `make up` has started from nothing."""
    folder = tmp_path_factory.mktemp("platform")
    # The engine's users enter the folder too.
    for path in (folder, folder.parent):
        path.chmod(0o755)
    running = RunningPlatform(folder)
    try:
        up = running.run("make", "up", timeout=500)
        assert up.returncode == 0, up.stdout + up.stderr
        assert running.url("SERVICE_PORT", "/") in up.stdout
        assert str(folder / "secrets" / "admin_password") in up.stdout
        yield running
    finally:
        running.remove()


def _predict(platform: RunningPlatform) -> int:
    """Ask for one prediction through the door; return the status."""
    return requests.post(platform.url("SERVICE_PORT", "/prediction"), json=ROW, timeout=60).status_code


def _version(platform: RunningPlatform) -> str:
    """Ask which model answers."""
    information = requests.get(platform.url("SERVICE_PORT", "/model_information"), timeout=30).json()
    return str(information["model"]["version"])


def _ups(platform: RunningPlatform) -> dict[str, set[str]]:
    """Tell which jobs are up (1) or down (0)."""
    ups: dict[str, set[str]] = {}
    for sample in platform.query("up"):
        ups.setdefault(sample["metric"]["job"], set()).add(sample["value"][1])
    return ups


def test_first_start_trains_and_answers(platform: RunningPlatform):
    """From nothing to a prediction, with passwords that nobody else can read."""
    assert _predict(platform) == 200

    secrets = platform.folder / "secrets"
    assert (secrets.stat().st_mode & 0o777) == 0o700
    for path in secrets.iterdir():
        if path.is_file():
            assert (path.stat().st_mode & 0o777) == 0o600, path.name
    assert len(platform.password) == 32
    assert platform.password not in (platform.folder / ".env").read_text()


def test_every_container_is_as_hardened_as_its_file_says(platform: RunningPlatform):
    """The engine has taken what Compose asked for."""
    for container in platform.compose("ps", "--quiet").split():
        facts = inspect(container)
        if "sink" in facts["Name"]:
            continue
        host = facts["HostConfig"]
        assert host["ReadonlyRootfs"], facts["Name"]
        assert host["CapDrop"] == ["ALL"], facts["Name"]
        assert host["Memory"] > 0, facts["Name"]
        assert host["NanoCpus"] > 0, facts["Name"]
        assert not host["Privileged"], facts["Name"]


def test_every_job_is_scraped(platform: RunningPlatform):
    """Prometheus reaches all, but the training, which does not run."""
    platform.wait_for(
        lambda: {job for job, values in _ups(platform).items() if values == {"1"}} == ALWAYS_UP, "every job to be up"
    )

    assert _ups(platform)["model-training"] == {"0"}


def test_training_is_watched_and_goes_live(platform: RunningPlatform):
    """A one-shot training is seen while it runs, leaves its last words, and its model answers within seconds."""
    before = _version(platform)
    training = platform.start(
        *("run", "--rm", "-T", "--use-aliases", "training", "train", "--train", "/data/train.csv", "--seed", "7")
    )
    try:
        platform.wait_for(lambda: _ups(platform)["model-training"] == {"1"}, "the training to be scraped")
        output, _ = training.communicate(timeout=120)
    finally:
        training.kill()
    assert training.returncode == 0, output

    platform.wait_for(lambda: _version(platform) != before, "the new model to answer", 30)
    platform.wait_for(
        lambda: platform.query('training_runs_total{job="training", result="success"} == 1'), "its last words"
    )


def test_load_runs_through_the_door(platform: RunningPlatform):
    """A minute of Locust without a failure, from its container."""
    platform.compose("build", "loadtest")
    load = platform.run(
        *("docker", "compose", "run", "--rm", "-T", "--no-deps", "loadtest", "--headless", "--only-summary"),
        *("--users", "8", "--spawn-rate", "8", "--run-time", "60s", "--host", "http://caddy:8000"),
        timeout=150,
    )

    assert load.returncode == 0, load.stdout + load.stderr
    (answered,) = platform.query("sum(predicted_class_total)")
    assert float(answered["value"][1]) > 1000


def test_every_recording_rule_has_a_value(platform: RunningPlatform):
    """Nothing that is recorded is empty after a minute of load."""
    names = recorded_names()

    def empty() -> set[str]:
        return {name for name in names if not platform.query(name)}

    assert names
    platform.wait_for(lambda: not empty(), f"values of {empty()}", 120)


def test_nothing_is_wrong_in_normal_running(platform: RunningPlatform):
    """After start, training and load, only the alert that always fires does."""
    firing = platform.query('ALERTS{alertstate="firing"}')

    assert {alert["metric"]["alertname"] for alert in firing} == {"Watchdog"}


def test_killed_service_comes_back_and_is_told_of(platform: RunningPlatform):
    """Callers see a pause and no error; an alert sees the restarts, and Alertmanager tells the webhook."""
    (container,) = platform.containers("service")
    ended = threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        while not ended.is_set():
            statuses.append(_predict(platform))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for kills in (1, 2):
            start = inspect(container)["State"]["StartedAt"]
            os.kill(inspect(container)["State"]["Pid"], signal.SIGKILL)
            platform.wait_for(lambda: inspect(container)["State"]["StartedAt"] != start, "a new start")  # noqa: B023
            platform.wait_for(
                lambda: platform.query(f"changes(app_started_timestamp_seconds[10m]) == {kills}"),  # noqa: B023
                "Prometheus to see it",
            )
    finally:
        ended.set()
        asking.join()

    assert set(statuses) == {200}
    platform.wait_for(
        lambda: ("firing", "ServiceRestarting") in alerts_told(platform.compose("logs", "sink")),
        "the webhook to be told",
    )
    assert ("firing", "Watchdog") in alerts_told(platform.compose("logs", "sink"))


def test_replicas_are_found_by_all(platform: RunningPlatform):
    """Caddy spreads the requests, Prometheus scrapes each replica by itself."""
    platform.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "service=3")
    platform.wait_for(lambda: len(platform.query('up{job="service"} == 1')) == 3, "three replicas to be scraped")
    with requests.Session() as session:
        for _ in range(60):
            assert session.post(platform.url("SERVICE_PORT", "/prediction"), json=ROW, timeout=30).status_code == 200

    platform.wait_for(
        lambda: len(platform.query('sum by (instance) (predicted_class_total{job="service"}) > 0')) == 3,
        "an answer of each",
    )


def test_numbers_and_models_outlive_the_containers(platform: RunningPlatform):
    """After `make down` and a plain `docker compose up` Prometheus knows the past and the service its model."""
    version = _version(platform)
    (now,) = platform.query("vector(time())")
    then = now["value"][1]
    down = platform.run("make", "down")
    assert down.returncode == 0, down.stderr
    assert not platform.compose("ps", "--quiet")

    platform.compose("up", "--detach", "--wait", "--no-build")

    assert _version(platform) == version
    assert platform.query(f"sum(predicted_class_total @ {then})")


def test_new_password_opens_and_the_old_one_does_not(platform: RunningPlatform):
    """`make password` changes all doors at once."""
    old = platform.password
    changed = platform.run("make", "password")
    assert changed.returncode == 0, changed.stdout + changed.stderr

    def status(password: str) -> int:
        url = platform.url("PROMETHEUS_PORT", "/-/ready")
        return requests.get(url, auth=("admin", password), timeout=30).status_code

    assert platform.password != old
    assert status(platform.password) == 200
    assert status(old) == 401


def test_grafana_gets_a_new_database_and_nothing_else_is_lost(platform: RunningPlatform):
    """`make reset-grafana` replaces one volume and leaves the others alone."""
    volume = f"{platform.project}_grafana_data"

    def made(name: str) -> str:
        said = platform.run("docker", "volume", "inspect", "--format", "{{.CreatedAt}}", name)
        assert said.returncode == 0, said.stderr
        return said.stdout

    before, numbers_before = made(volume), made(f"{platform.project}_prometheus_data")
    reset = platform.run("make", "reset-grafana")

    assert reset.returncode == 0, reset.stdout + reset.stderr
    assert made(volume) != before
    assert made(f"{platform.project}_prometheus_data") == numbers_before
    assert requests.get(platform.url("GRAFANA_PORT", "/"), timeout=30).status_code == 200
