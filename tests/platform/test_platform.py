"""The whole platform in real containers, started from scratch by `make up`.

The tests share one platform, and each continues from the state that the previous one left.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading

import pytest
import requests

from tests.platform.running_platform import RunningPlatform, delivered_alerts, inspect, recorded_names

pytestmark = [pytest.mark.platform, pytest.mark.timeout(600)]

ALWAYS_UP = {"service", "prometheus", "alertmanager", "pushgateway", "cadvisor", "node", "caddy", "door"}
ROW = {"feature_vector": [0.56, 0.23]}

# The request id of the row that gets a label.
LABELLED = "labelled-row"


def _predict(platform: RunningPlatform, **row: str) -> int:
    """Request one prediction through Caddy; return the status."""
    return requests.post(platform.url("SERVICE_PORT", "/prediction"), json={**ROW, **row}, timeout=60).status_code


def _recorded(platform: RunningPlatform, request_id: str) -> str:
    """Return the recorded answer of a request, as text."""
    url = platform.url("SERVICE_PORT", f"/predictions/{request_id}")
    return requests.get(url, headers={"X-API-Key": platform.label_key}, timeout=30).text


def _request_inside(container: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    """Send a request to one replica from inside its container; return status and text."""
    script = f"""
import urllib.error, urllib.request
key = open("/run/secrets/feedback_api_keys").readline().strip()
headers = {{"X-API-Key": key, "Content-Type": "application/json", **{headers!r}}}
request = urllib.request.Request("http://127.0.0.1:8000{path}", {body and json.dumps(body).encode()!r}, headers)
try:
    response = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    response = error
print(response.status, response.read().decode())
"""
    done = subprocess.run(["docker", "exec", container, "python", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    status, text = done.stdout.split(maxsplit=1)
    return int(status), text


def _retrain(platform: RunningPlatform) -> subprocess.CompletedProcess[str]:
    """Retrain on the records, as in docs/compose.md, without waiting for a final scrape."""
    return platform.run(
        *("docker", "compose", "run", "--rm", "-T", "--no-deps", "-e", "TRAINING_METRICS_HOLD=0", "training"),
        *("retrain", "--no-drift", "--max-rows", "2000"),
    )


def _version(platform: RunningPlatform) -> str:
    """Return the version of the live model."""
    information = requests.get(platform.url("SERVICE_PORT", "/model_information"), timeout=30).json()
    return str(information["model"]["version"])


def _job_states(platform: RunningPlatform) -> dict[str, set[str]]:
    """Map each job to the states of its targets: up (1) or down (0)."""
    states: dict[str, set[str]] = {}
    for sample in platform.query("up"):
        states.setdefault(sample["metric"]["job"], set()).add(sample["value"][1])
    return states


def test_first_start_trains_and_predicts(platform: RunningPlatform):
    """The first start results in a model, predictions, and passwords that only their owner can read."""
    assert _predict(platform) == 200

    secrets = platform.folder / "secrets"
    assert (secrets.stat().st_mode & 0o777) == 0o700
    for path in secrets.iterdir():
        if path.is_file():
            assert (path.stat().st_mode & 0o777) == 0o600, path.name
    assert len(platform.password) == 32
    assert platform.password not in (platform.folder / ".env").read_text()


def test_every_container_is_hardened(platform: RunningPlatform):
    """The engine has applied the hardening in the Compose file."""
    for container in platform.compose("ps", "--quiet").split():
        description = inspect(container)
        if "sink" in description["Name"]:
            continue
        host = description["HostConfig"]
        assert host["ReadonlyRootfs"], description["Name"]
        assert host["CapDrop"] == ["ALL"], description["Name"]
        assert host["Memory"] > 0, description["Name"]
        assert host["NanoCpus"] > 0, description["Name"]
        assert not host["Privileged"], description["Name"]


def test_every_job_is_scraped(platform: RunningPlatform):
    """Prometheus reaches all jobs; training, which is not running, is not one of its targets."""
    platform.wait_for(
        lambda: {job for job, values in _job_states(platform).items() if values == {"1"}} == ALWAYS_UP,
        "every job to be up",
    )

    assert "model-training" not in _job_states(platform)


def test_training_is_scraped_and_its_model_goes_live(platform: RunningPlatform):
    """A training run is scraped, pushes its final metrics, and its model is live within seconds."""
    before = _version(platform)
    training = platform.start(
        *("run", "--rm", "-T", "--use-aliases", "training", "train", "--train", "/data/train.csv", "--seed", "7"),
        # Short windows are calibrated in seconds.
        *("--drift-window", "20", "--drift-ert", "500", "--promote"),
    )
    try:
        platform.wait_for(lambda: _job_states(platform).get("model-training") == {"1"}, "the training to be scraped")
        output, _ = training.communicate(timeout=120)
    finally:
        training.kill()
    assert training.returncode == 0, output

    platform.wait_for(lambda: _version(platform) != before, "the new model to go live", 30)
    platform.wait_for(
        lambda: platform.query('training_runs_total{job="training", result="success"} == 1'), "its final metrics"
    )


def test_load_test_runs_through_caddy(platform: RunningPlatform):
    """A minute of Locust in its container has no failure."""
    # Rules that compare segments need at least two.
    assert {_predict(platform, segment=segment) for segment in ("private", "business")} == {200}
    platform.compose("build", "loadtest")
    load = platform.run(
        *("docker", "compose", "run", "--rm", "-T", "--no-deps", "loadtest", "--headless", "--only-summary"),
        *("--users", "8", "--spawn-rate", "8", "--run-time", "60s", "--host", "http://caddy:8000"),
        timeout=150,
    )

    assert load.returncode == 0, load.stdout + load.stderr
    (rows,) = platform.query("sum(predicted_class_total)")
    assert float(rows["value"][1]) > 1000


def test_every_recording_rule_has_a_value(platform: RunningPlatform):
    """After a minute of load, every recorded series has a value, except those that need REPLICA_MONTHLY_COST."""
    names = {name for name in recorded_names() if not name.startswith("job_currency:cost_")}

    def empty() -> set[str]:
        return {name for name in names if not platform.query(name)}

    assert names
    platform.wait_for(lambda: not empty(), f"values of {empty()}", 120)


def test_no_alert_fires_in_normal_operation(platform: RunningPlatform):
    """After start, training and load, only Watchdog fires."""
    firing = platform.query('ALERTS{alertstate="firing"}')

    assert {alert["metric"]["alertname"] for alert in firing} == {"Watchdog"}


def test_killed_service_restarts_and_is_reported(platform: RunningPlatform):
    """Callers notice a pause but no error, and Alertmanager delivers the alert about the restarts."""
    (container,) = platform.containers("service")
    stopped = threading.Event()
    statuses: list[int] = []

    def send_requests() -> None:
        while not stopped.is_set():
            statuses.append(_predict(platform))

    sender = threading.Thread(target=send_requests)
    sender.start()
    try:
        for kills in (1, 2):
            start = inspect(container)["State"]["StartedAt"]
            os.kill(inspect(container)["State"]["Pid"], signal.SIGKILL)
            platform.wait_for(lambda: inspect(container)["State"]["StartedAt"] != start, "a new start")  # noqa: B023
            platform.wait_for(
                lambda: platform.query(f"changes(app_started_timestamp_seconds[10m]) == {kills}"),  # noqa: B023
                "Prometheus to notice it",
            )
    finally:
        stopped.set()
        sender.join()

    assert set(statuses) == {200}
    platform.wait_for(
        lambda: ("firing", "ServiceRestarting") in delivered_alerts(platform.compose("logs", "sink")),
        "the notification",
    )
    assert ("firing", "Watchdog") in delivered_alerts(platform.compose("logs", "sink"))


def test_replicas_are_discovered(platform: RunningPlatform):
    """Caddy distributes requests over all replicas, and Prometheus scrapes each of them."""
    platform.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "service=3")
    platform.wait_for(lambda: len(platform.query('up{job="service"} == 1')) == 3, "three replicas to be scraped")
    with requests.Session() as session:
        for _ in range(60):
            assert session.post(platform.url("SERVICE_PORT", "/prediction"), json=ROW, timeout=30).status_code == 200

    platform.wait_for(
        lambda: len(platform.query('sum by (instance) (predicted_class_total{job="service"}) > 0')) == 3,
        "predictions of each replica",
    )


def test_one_replica_writes_a_database_file_and_all_read_it(platform: RunningPlatform):
    """The others log at start that they do not record; all of them serve labels and recorded answers."""
    replicas = platform.containers("service")
    names = {container[:12]: container for container in replicas}

    def is_writer(container: str) -> bool:
        logs = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
        return "several replicas need PostgreSQL" not in logs.stdout + logs.stderr

    (writer,) = filter(is_writer, replicas)
    for name, container in names.items():
        assert json.loads(_request_inside(container, "/drift")[1])["replica"] == name
        assert _request_inside(container, "/prediction", ROW, **{"X-Request-ID": name})[0] == 200
    recorded = f"/predictions/{writer[:12]}"
    platform.wait_for(lambda: _request_inside(writer, recorded)[0] == 200, "the record")
    for container in set(replicas) - {writer}:
        assert _request_inside(container, f"/predictions/{container[:12]}")[0] == 404
        label = {"request_id": writer[:12], "is_inlier": 1, "source": container[:12]}
        assert _request_inside(container, "/feedback", label)[0] == 202
        for reader in replicas:
            assert container[:12] in _request_inside(reader, recorded)[1]

    # Prometheus notices it too; the alert is pending for some minutes.
    pending = 'ALERTS{alertname="RecordsNotWritten"}'
    platform.wait_for(lambda: len(platform.query(pending)) == len(replicas) - 1, "the alert for all but one")
    platform.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "service=1")
    assert platform.containers("service") == [writer]


def test_label_is_accepted_through_caddy(platform: RunningPlatform):
    """A label needs the API key that `make up` generated, and is stored with the recorded answer."""
    predicted = requests.post(
        platform.url("SERVICE_PORT", "/prediction"), json=ROW, headers={"X-Request-ID": LABELLED}, timeout=30
    )
    assert predicted.status_code == 200
    label = {"request_id": LABELLED, "row": 0, "is_inlier": -1, "source": "fraud-desk"}

    def submit(**headers: str) -> int:
        url = platform.url("SERVICE_PORT", "/feedback")
        return requests.post(url, json=label, headers=headers, timeout=30).status_code

    assert submit() in (401, 403)
    assert submit(**{"X-API-Key": "wrong"}) == 401
    assert submit(**{"X-API-Key": platform.label_key}) == 202
    platform.wait_for(lambda: '"fraud-desk"' in _recorded(platform, LABELLED), "the label of the row")
    logged = platform.compose("logs", "caddy", "service")
    assert "/feedback" in logged
    assert platform.label_key not in logged


def test_records_can_be_restored_from_a_backup(platform: RunningPlatform):
    """The commands in docs/backup.md back up and restore records."""
    page = (platform.folder / "docs" / "backup.md").read_text()
    section = page[page.index("### With Compose") : page.index("### Without containers")]
    backup_commands, restore_commands = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    backup = platform.run("sh", "-e", "-c", backup_commands)
    assert backup.returncode == 0, backup.stderr
    assert (platform.folder / "records.backup.db").stat().st_mode & 0o777 == 0o600
    platform.compose("exec", "-T", "service", "python", "-m", "app.records", "forget", LABELLED, "--yes")
    assert "fraud-desk" not in _recorded(platform, LABELLED)

    restore = platform.run("sh", "-e", "-c", restore_commands)

    assert restore.returncode == 0, restore.stderr
    platform.wait_for(lambda: '"fraud-desk"' in _recorded(platform, LABELLED), "the label to be back")
    # New answers are recorded in the restored file.
    headers = {"X-Request-ID": "after-the-restore"}
    assert requests.post(platform.url("SERVICE_PORT", "/prediction"), json=ROW, headers=headers, timeout=30).ok
    platform.wait_for(lambda: '"is_inlier"' in _recorded(platform, "after-the-restore"), "a new record")


def test_training_reads_the_records_and_cannot_write_them(platform: RunningPlatform):
    """Training runs as another user than the service, in the group with read access."""
    script = "import sqlite3; print(sqlite3.connect('/records/records.db').execute({!r}).fetchone())"

    def run(statement: str) -> subprocess.CompletedProcess[str]:
        command = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "python", "training", "-c")
        return platform.run("docker", "compose", *command, script.format(statement))

    read = run("SELECT count(*) > 0 FROM predictions")
    assert read.stdout == "(1,)\n", read.stderr
    assert "readonly" in run("DELETE FROM predictions").stderr


def test_retraining_reads_the_records(platform: RunningPlatform):
    """Retraining works while the service writes records, and after it has stopped and SQLite's WAL files are gone."""
    version = _version(platform)
    while_running = _retrain(platform)
    assert while_running.returncode == 0, while_running.stdout + while_running.stderr

    platform.compose("stop", "service")
    while_stopped = _retrain(platform)
    platform.compose("start", "service")

    assert while_stopped.returncode == 0, while_stopped.stdout + while_stopped.stderr
    assert "was not promoted" in while_stopped.stdout
    platform.wait_for(lambda: _predict(platform) == 200, "the service to be back")
    assert _version(platform) == version


def test_metrics_and_models_survive_new_containers(platform: RunningPlatform):
    """After `make down` and `docker compose up`, Prometheus has its history and the service its model."""
    version = _version(platform)
    # The service may have restarted just now, and not been scraped since.
    (sample,) = platform.wait_for(lambda: platform.query("sum(predicted_class_total)"), "a scrape of the service")
    timestamp, count = sample["value"]
    down = platform.run("make", "down")
    assert down.returncode == 0, down.stderr
    assert not platform.compose("ps", "--quiet")

    platform.compose("up", "--detach", "--wait", "--no-build")

    assert _version(platform) == version
    (restored,) = platform.query(f"sum(predicted_class_total @ {timestamp})")
    assert restored["value"][1] == count
    assert '"fraud-desk"' in _recorded(platform, LABELLED)


def test_new_password_replaces_the_old_one(platform: RunningPlatform):
    """`make password` takes effect immediately."""
    old = platform.password
    changed = platform.run("make", "password")
    assert changed.returncode == 0, changed.stdout + changed.stderr

    def status(password: str) -> int:
        url = platform.url("PROMETHEUS_PORT", "/-/ready")
        return requests.get(url, auth=("admin", password), timeout=30).status_code

    assert platform.password != old
    assert status(platform.password) == 200
    assert status(old) == 401


def test_reset_grafana_replaces_only_its_database(platform: RunningPlatform):
    """`make reset-grafana` replaces one volume and no other."""
    volume = f"{platform.project}_grafana_data"

    def created_at(name: str) -> str:
        output = platform.run("docker", "volume", "inspect", "--format", "{{.CreatedAt}}", name)
        assert output.returncode == 0, output.stderr
        return output.stdout

    before, metrics_before = created_at(volume), created_at(f"{platform.project}_prometheus_data")
    reset = platform.run("make", "reset-grafana")

    assert reset.returncode == 0, reset.stdout + reset.stderr
    assert created_at(volume) != before
    assert created_at(f"{platform.project}_prometheus_data") == metrics_before
    assert requests.get(platform.url("GRAFANA_PORT", "/"), timeout=30).status_code == 200
