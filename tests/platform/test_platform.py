"""The whole platform, started as a newcomer starts it: from nothing, by `make up`, with real containers.

The tests share one platform and go on from each other's state, in the order in which they stand.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.platform.running_platform import RunningPlatform, alerts_told, inspect, recorded_names

pytestmark = [pytest.mark.platform, pytest.mark.timeout(600)]

ALWAYS_UP = {"service", "prometheus", "alertmanager", "pushgateway", "cadvisor", "node", "caddy"}
ROW = {"feature_vector": [0.56, 0.23]}

# The request id of the row that gets a label.
LABELLED = "labelled-row"


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


def _predict(platform: RunningPlatform, **row: str) -> int:
    """Ask for one prediction through the door; return the status."""
    return requests.post(platform.url("SERVICE_PORT", "/prediction"), json={**ROW, **row}, timeout=60).status_code


def _recorded(platform: RunningPlatform, request_id: str) -> str:
    """Ask what was recorded of a request, as text."""
    url = platform.url("SERVICE_PORT", f"/predictions/{request_id}")
    return requests.get(url, headers={"X-API-Key": platform.label_key}, timeout=30).text


def _ask_inside(container: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    """Ask one replica from its own container; return status and text."""
    asking = f"""
import urllib.error, urllib.request
key = open("/run/secrets/feedback_api_keys").readline().strip()
headers = {{"X-API-Key": key, "Content-Type": "application/json", **{headers!r}}}
request = urllib.request.Request("http://127.0.0.1:8000{path}", {body and json.dumps(body).encode()!r}, headers)
try:
    answer = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""
    asked = subprocess.run(["docker", "exec", container, "python", "-c", asking], capture_output=True, text=True)
    assert asked.returncode == 0, asked.stderr
    status, text = asked.stdout.split(maxsplit=1)
    return int(status), text


def _retrain(platform: RunningPlatform) -> subprocess.CompletedProcess[str]:
    """Train on what was recorded, as docs/compose.md says, without waiting for a last scrape."""
    return platform.run(
        *("docker", "compose", "run", "--rm", "-T", "--no-deps", "-e", "TRAINING_METRICS_HOLD=0", "training"),
        *("retrain", "--no-drift", "--max-rows", "2000"),
    )


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
    # Rules that compare segments have a value once there are two.
    assert {_predict(platform, segment=segment) for segment in ("private", "business")} == {200}
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


def test_one_replica_records_into_a_file_and_all_read_it(platform: RunningPlatform):
    """The others say at their start that they do not; labels and recorded answers are everybody's."""
    replicas = platform.containers("service")
    names = {container[:12]: container for container in replicas}

    def is_silent(container: str) -> bool:
        said = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
        return "several replicas need PostgreSQL" not in said.stdout + said.stderr

    (writer,) = filter(is_silent, replicas)
    for name, container in names.items():
        assert json.loads(_ask_inside(container, "/drift")[1])["replica"] == name
        assert _ask_inside(container, "/prediction", ROW, **{"X-Request-ID": name})[0] == 200
    recorded = f"/predictions/{writer[:12]}"
    platform.wait_for(lambda: _ask_inside(writer, recorded)[0] == 200, "the record")
    for container in set(replicas) - {writer}:
        assert _ask_inside(container, f"/predictions/{container[:12]}")[0] == 404
        label = {"request_id": writer[:12], "is_inlier": 1, "source": container[:12]}
        assert _ask_inside(container, "/feedback", label)[0] == 202
        for reader in replicas:
            assert container[:12] in _ask_inside(reader, recorded)[1]

    # Prometheus sees it too; the alert waits some minutes before it is told.
    waiting = 'ALERTS{alertname="RecordsNotWritten"}'
    platform.wait_for(lambda: len(platform.query(waiting)) == len(replicas) - 1, "the alert for all but one")
    platform.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "service=1")
    assert platform.containers("service") == [writer]


def test_label_comes_through_the_door(platform: RunningPlatform):
    """With the key that `make up` made, and from nobody without; it is then part of what was recorded."""
    asked = requests.post(
        platform.url("SERVICE_PORT", "/prediction"), json=ROW, headers={"X-Request-ID": LABELLED}, timeout=30
    )
    assert asked.status_code == 200
    label = {"request_id": LABELLED, "row": 0, "is_inlier": -1, "source": "fraud-desk"}

    def give(**headers: str) -> int:
        url = platform.url("SERVICE_PORT", "/feedback")
        return requests.post(url, json=label, headers=headers, timeout=30).status_code

    assert give() in (401, 403)
    assert give(**{"X-API-Key": "wrong"}) == 401
    assert give(**{"X-API-Key": platform.label_key}) == 202
    platform.wait_for(lambda: '"fraud-desk"' in _recorded(platform, LABELLED), "the label beside its row")
    logged = platform.compose("logs", "caddy", "service")
    assert "/feedback" in logged
    assert platform.label_key not in logged


def test_records_come_back_from_a_backup(platform: RunningPlatform):
    """By the commands of docs/backup.md as they stand."""
    page = (platform.folder / "docs" / "backup.md").read_text()
    section = page[page.index("### With Compose") : page.index("### Without containers")]
    copying, restoring = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    copied = platform.run("sh", "-e", "-c", copying)
    assert copied.returncode == 0, copied.stderr
    assert (platform.folder / "records.backup.db").stat().st_mode & 0o777 == 0o600
    platform.compose("exec", "-T", "service", "python", "-m", "app.records", "forget", LABELLED, "--yes")
    assert "fraud-desk" not in _recorded(platform, LABELLED)

    restored = platform.run("sh", "-e", "-c", restoring)

    assert restored.returncode == 0, restored.stderr
    platform.wait_for(lambda: '"fraud-desk"' in _recorded(platform, LABELLED), "the label to be back")
    # What is recorded from now on goes into the file that is back.
    headers = {"X-Request-ID": "after-the-restore"}
    assert requests.post(platform.url("SERVICE_PORT", "/prediction"), json=ROW, headers=headers, timeout=30).ok
    platform.wait_for(lambda: '"is_inlier"' in _recorded(platform, "after-the-restore"), "a new record")


def test_training_reads_the_records_and_cannot_write_them(platform: RunningPlatform):
    """As another user than the service, of the group that may read."""
    look = "import sqlite3; print(sqlite3.connect('/records/records.db').execute({!r}).fetchone())"

    def run(statement: str) -> subprocess.CompletedProcess[str]:
        command = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "python", "training", "-c")
        return platform.run("docker", "compose", *command, look.format(statement))

    read = run("SELECT count(*) > 0 FROM predictions")
    assert read.stdout == "(1,)\n", read.stderr
    assert "readonly" in run("DELETE FROM predictions").stderr


def test_next_model_is_trained_on_the_records(platform: RunningPlatform):
    """While the service writes them, and after it has closed them: then SQLite's files beside them are gone."""
    version = _version(platform)
    beside = _retrain(platform)
    assert beside.returncode == 0, beside.stdout + beside.stderr

    platform.compose("stop", "service")
    after = _retrain(platform)
    platform.compose("start", "service")

    assert after.returncode == 0, after.stdout + after.stderr
    assert "was not promoted" in after.stdout
    platform.wait_for(lambda: _predict(platform) == 200, "the service to be back")
    assert _version(platform) == version


def test_numbers_and_models_outlive_the_containers(platform: RunningPlatform):
    """After `make down` and a plain `docker compose up` Prometheus knows the past and the service its model."""
    version = _version(platform)
    # The service may have been started again a moment ago, and not been asked since.
    (counted,) = platform.wait_for(lambda: platform.query("sum(predicted_class_total)"), "a scrape of the service")
    then, number = counted["value"]
    down = platform.run("make", "down")
    assert down.returncode == 0, down.stderr
    assert not platform.compose("ps", "--quiet")

    platform.compose("up", "--detach", "--wait", "--no-build")

    assert _version(platform) == version
    (known,) = platform.query(f"sum(predicted_class_total @ {then})")
    assert known["value"][1] == number
    assert '"fraud-desk"' in _recorded(platform, LABELLED)


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
