"""The service with real Gunicorn, several workers and real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

ROW = [0.56, 0.23]

# More than asyncio's default, fewer than Gunicorn's.
QUEUED, CONNECT_SECONDS = 300, 5


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service with three workers, for tests that do not change it."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models, WEB_CONCURRENCY="3") as running:
        yield running


def test_idle_scrape_is_small(service: RunningService):
    """Series that may never have a value are not written from the start; later tests add some."""
    wait_until(lambda: service.metric("recorder_up") == 1, "the recorder", service)

    assert len(service.get("/metrics").content) < 80_000


def test_totals_over_workers_are_exact(service: RunningService):
    """N requests to three workers are counted as N, however they are distributed."""
    wait_until(lambda: service.metric("app_workers") == 3, "three workers", service)
    names = ["model_prediction_requests_total", "predictions_scores_count", "predictions_output_count"]
    before = {name: service.metric(name) for name in names}
    http_before = service.metric("flask_http_request_total", url_rule="/prediction", status="200")

    def send() -> None:
        # A new connection per request, so that every worker gets some.
        for _ in range(50):
            answer = requests.post(f"{service.address}/prediction", json={"feature_vector": ROW}, timeout=30)
            assert answer.status_code == 200

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {name: service.metric(name) - before[name] for name in names} == dict.fromkeys(names, 300)
    http_after = service.metric("flask_http_request_total", url_rule="/prediction", status="200")
    assert http_after - http_before == 300


def test_no_series_has_a_process_id(service: RunningService):
    """A label per process would create ever more series."""
    assert service.predict(ROW).status_code == 200

    assert "pid=" not in service.get("/metrics").text


def test_scrape_has_the_requested_media_type(service: RunningService):
    """Prometheus 3 rejects a scrape without a known Content-Type."""
    assert service.get("/metrics").headers["Content-Type"].startswith("text/plain; version=")
    accept = "application/openmetrics-text; version=1.0.0"
    assert service.get("/metrics/", headers={"Accept": accept}).headers["Content-Type"].startswith(accept.split(";")[0])


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text; version=abc",
        "application/openmetrics-text; version=1.x",
        "application/openmetrics-text; version=; escaping",
        "application/openmetrics-text; version=-1.0.0",
        "text/plain; version=1..0",
        "text/plain;version=\xb2.0.0, application/openmetrics-text;version=1.0.0;escaping=\xff",
        ",;=," * 1000,
        "*/*; q=nan",
    ],
)
def test_scrape_answers_any_accept_header(service: RunningService, accept: str):
    """A client's header is never an error of the service."""
    answer = service.get("/metrics", headers={"Accept": accept.encode("latin-1")})

    assert answer.status_code == 200
    assert "app_workers" in answer.text


def test_resource_usage_covers_all_processes(service: RunningService):
    """The arbiter and its workers are measured together."""
    assert service.metric("app_memory_usage_bytes") > 50e6
    assert service.metric("app_memory_limit_bytes") >= service.metric("app_memory_usage_bytes")
    assert service.metric("app_cpu_usage_percent") >= 0
    assert service.metric("metrics_files") >= 3


def test_connections_queue_while_all_workers_are_busy(service: RunningService):
    """More than the hundred that asyncio would allow: further ones would get no answer from the kernel for a second."""
    host, port = service.address.removeprefix("http://").split(":")
    workers = service.workers()
    clients: list[socket.socket] = []
    try:
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        clients.extend(socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS) for _ in range(QUEUED))
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        for client in clients:
            client.close()
    assert service.predict([-0.158, -0.1067]).status_code == 200


def test_body_over_the_limit_is_rejected(service: RunningService):
    """A body one byte over 1 MiB is rejected, and the client receives the answer."""
    body = b'{"feature_vector": [1, 2]' + b" " * 1_048_576 + b"}"
    answer = service.session.post(
        f"{service.address}/prediction", data=body, headers={"Content-Type": "application/json"}, timeout=30
    )

    assert answer.status_code == 413
    assert "1048576 bytes" in answer.json()["detail"]


def test_each_request_is_one_json_line(tmp_path: Path, credits_models: Path):
    """Without a terminal, the log is JSON and searchable by field."""
    with start_service(tmp_path, credits_models) as service:
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)
        # On a busy machine, one that is still starting may not end in time, which is logged as an error.
        wait_until(lambda: service.metric("recorder_up") == 1, "the recorder", service)
        answer = service.get("/nowhere", headers={"X-Request-ID": "find-me"})
        assert answer.status_code == 404
        service.stop()
        lines = [json.loads(line) for line in service.log().splitlines()]

    (line,) = [line for line in lines if line.get("request_id") == "find-me"]
    assert (line["level"], line["route"], line["status"], line["method"]) == ("info", "unmatched", 404, "GET")
    assert line["milliseconds"] > 0
    assert [line for line in lines if line["level"] != "info"] == []


def test_replaced_worker_is_counted_and_keeps_the_totals(tmp_path: Path, credits_models: Path):
    """Killing a worker does not reduce any total."""
    with start_service(tmp_path, credits_models) as service:
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)
        for _ in range(20):
            requests.post(f"{service.address}/prediction", json={"feature_vector": ROW}, timeout=30)
        before = service.metric("predictions_scores_count")
        started = service.metric("app_started_timestamp_seconds")
        victim = service.workers()[0]
        service.session.close()
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in service.workers() and len(service.workers()) == 2, "a new worker", service)
        wait_until(lambda: service.metric("app_worker_restarts_total") == 1, "the restart to be counted", service)

        assert before == 20
        assert service.metric("predictions_scores_count") == 20
        # A new worker does not change the start time of the service.
        assert service.metric("app_started_timestamp_seconds") == started
        assert 0 < time.time() - started < 600
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)


def test_reload_keeps_the_totals(tmp_path: Path, credits_models: Path):
    """SIGHUP replaces the workers and reloads the configuration; no count is lost."""
    with start_service(tmp_path, credits_models) as service:
        service.predict(ROW)
        old = set(service.workers())
        service.session.close()
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(service.workers()) == 2 and not old & set(service.workers()), "new workers", service)
        service.predict(ROW)

        assert service.metric("predictions_scores_count") == 2


def test_termination_answers_every_started_request(tmp_path: Path, credits_models: Path):
    """Under load, every request that a worker has started to read is answered; later connections are refused."""
    answered, refused, broken = [], [], []

    with start_service(tmp_path, credits_models, GRACEFUL_TIMEOUT="20") as service:
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)
        service.session.close()
        begin = threading.Barrier(9)

        def send() -> None:
            begin.wait()
            while True:
                try:
                    with socket.create_connection(("127.0.0.1", int(service.address.rsplit(":", 1)[1])), 10) as client:
                        answered.append(_send_slowly(client))
                except ConnectionRefusedError:
                    refused.append(1)
                    return
                except (ConnectionError, EOFError) as error:
                    # The kernel accepted the connection, but no worker did.
                    broken.append(error)

        # A request with half of its body sent when the signal arrives: a worker has started to read it.
        slow = socket.create_connection(("127.0.0.1", int(service.address.rsplit(":", 1)[1])), 30)
        head, body = _message()
        slow.sendall(head + body[:5])
        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        begin.wait()
        wait_until(lambda: len(answered) > 50, "some load", service)
        started_at = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refused, "connections to be refused", None)
        slow.sendall(body[5:])
        slow_answer = slow.recv(65536)
        slow.close()
        assert service.process.wait(40) == 0
        took = time.monotonic() - started_at
        for thread in threads:
            thread.join()

    assert slow_answer.startswith(b"HTTP/1.1 200 OK"), f"{slow_answer!r} after {took:.1f} s\n{service.log()}"
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answered)
    assert len(refused) == 8
    assert not [error for error in broken if isinstance(error, EOFError)], "a request was read and not answered"
    assert took < 20


def test_service_without_a_model_starts_and_becomes_ready(tmp_path: Path, credits_models: Path):
    """It says what to do, and loads a model as soon as there is one."""
    models = tmp_path / "models"
    with start_service(tmp_path, models, until="/healthz") as service:
        unready, prediction = service.get("/readyz"), service.predict(ROW)
        assert (unready.status_code, prediction.status_code) == (503, 503)
        assert "make train" in unready.json()["detail"]
        assert service.metric("model_ready") == 0
        assert service.metric("model_prediction_requests_total", model_version="none", status="error") == 1

        models.symlink_to(credits_models)
        wait_until(lambda: service.metric("model_ready") == 1, "every worker to have the model", service)
        assert service.predict(ROW).status_code == 200


def test_metrics_folder_is_emptied_and_locked(tmp_path: Path, credits_models: Path):
    """A configured folder is emptied at startup, and a second service that uses it exits with a message."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"left behind")
    with start_service(tmp_path, credits_models, PROMETHEUS_MULTIPROC_DIR=str(folder)) as service:
        assert service.get("/metrics").status_code == 200
        error = pytest.raises(AssertionError, match="belongs to another running service: name another folder")
        with error, start_service(tmp_path, credits_models, PROMETHEUS_MULTIPROC_DIR=str(folder)):
            pass


def test_preload_is_rejected_with_a_message(tmp_path: Path, credits_models: Path):
    """Metrics of preloaded workers would be wrong."""
    with (
        pytest.raises(AssertionError, match="does not run with --preload"),
        start_service(tmp_path, credits_models, "--preload"),
    ):
        pass


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("DATABASE_URL", "mysql://ann:never-shown@db/records", "DATABASE_URL names no database that Isowatch supports"),
        ("BIND", "127.0.0.1:99999", "the port 99999 in BIND is not a number from 0 to 65535"),
    ],
)
def test_invalid_setting_is_reported_in_one_line(tmp_path: Path, variable: str, text: str, reason: str):
    """A typo causes neither a traceback nor a service without a recorder."""
    with pytest.raises(AssertionError) as failure, start_service(tmp_path, tmp_path, **{variable: text}):
        pass

    assert f"isowatch: {reason}" in str(failure.value)
    assert not any(word in str(failure.value) for word in ("Traceback", "never-shown"))


def test_nothing_is_left_behind(tmp_path: Path, credits_models: Path):
    """The metrics folder in memory is removed with the service, and the port is free again."""
    with start_service(tmp_path, credits_models) as service:
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)
        (folder,) = {
            Path(target).parent
            for link in Path(f"/proc/{service.workers()[0]}/fd").iterdir()
            if (target := str(link.readlink())).endswith(".db")
        }
        assert folder.is_dir()
        assert service.stop() == 0

    assert not folder.exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(service.address.rsplit(":", 1)[1]))) != 0


def _message() -> tuple[bytes, bytes]:
    """Return head and body of a prediction request."""
    body = json.dumps({"feature_vector": ROW, "score": True}).encode()
    head = b"POST /prediction HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body), body


def _send_slowly(client: socket.socket) -> bytes:
    """Send one request in two parts and return the whole response; raise EOFError if there is none."""
    head, body = _message()
    client.sendall(head)
    time.sleep(0.002)
    client.sendall(body)
    answer = b""
    while part := client.recv(65536):
        answer += part
    if not answer:
        raise EOFError("the connection was closed without an answer")
    return answer
