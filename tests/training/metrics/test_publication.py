"""The metrics of a training are served while it runs and for a while after, and pushed at the end."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from training.errors import BadArgument
from training.metrics.monitor import TrainingMonitor
from training.metrics.publication import MetricsPublication


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Access this machine directly, whatever proxy the environment configures."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def monitor() -> TrainingMonitor:
    """Return the monitor of a run that has not started."""
    return TrainingMonitor()


@pytest.fixture
def publication() -> MetricsPublication:
    """Return a publication on a free port, without holding or pushing."""
    return MetricsPublication("127.0.0.1", free_port(), 0.0, "", "credits")


class Pushgateway(HTTPServer):
    """Accepts pushed metrics and answers with a status."""

    status = 200

    def __init__(self) -> None:
        self.pushed: list[tuple[str, str, str]] = []
        super().__init__(("127.0.0.1", 0), _PushHandler)

    @property
    def url(self) -> str:
        """The address of the Pushgateway."""
        return f"http://127.0.0.1:{self.server_port}"


class _PushHandler(BaseHTTPRequestHandler):
    server: Pushgateway

    def do_POST(self) -> None:
        """Store the request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.pushed.append((self.command, self.path, body.decode()))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def pushgateway() -> Iterator[Pushgateway]:
    """Return a Pushgateway that accepts everything."""
    with Pushgateway() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(monitor: TrainingMonitor, publication: MetricsPublication, error: BaseException | None = None) -> None:
    """Run an empty training that fails on request."""
    with publication.publish(monitor), monitor.watch_run():
        if error is not None:
            raise error


def scrape(publication: MetricsPublication) -> requests.Response:
    """Read the metrics as Prometheus does."""
    return requests.get(f"http://{publication.host}:{publication.port}/metrics", timeout=10)


def test_metrics_can_be_scraped_while_the_training_runs(monitor, publication):
    """In the format that Prometheus accepts and with process metrics; the port is free afterwards."""
    with publication.publish(monitor):
        monitor.record_rows(300)
        answer = scrape(publication)

    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "\ntraining_rows 300.0\n" in answer.text
    assert monitor.registry.get_sample_value("training_memory_usage_bytes") > 10_000_000
    with socket.create_server((publication.host, publication.port)):
        pass


def test_port_zero_serves_nothing(monitor, publication):
    """The only new thread is that of the usage sampler."""
    before = set(threading.enumerate())
    with replace(publication, port=0, hold_seconds=3600).publish(monitor):
        assert {thread.name for thread in threading.enumerate() if thread not in before} == {"usage"}


def test_port_in_use_is_refused_before_anything_runs(monitor, publication):
    """In one line that says what to do."""
    with (
        socket.create_server((publication.host, publication.port)),
        pytest.raises(BadArgument, match=r"cannot be listened on \(Address already in use\); name another port, or 0"),
        publication.publish(monitor),
    ):
        pytest.fail("the training began")


@pytest.mark.parametrize("fails", [False, True])
def test_metrics_are_held_after_the_end(monitor, publication, monkeypatch, capsys, fails):
    """After success and after failure, including the result."""
    scraped = []

    def scrape_instead_of_waiting(seconds: float) -> None:
        assert seconds == 60
        scraped.append(scrape(publication).text)

    monkeypatch.setattr(time, "sleep", scrape_instead_of_waiting)
    publication = replace(publication, hold_seconds=60.0)
    if fails:
        with pytest.raises(ValueError, match="bad"):
            run(monitor, publication, ValueError("bad"))
    else:
        run(monitor, publication)

    assert f'training_runs_total{{result="{"failure" if fails else "success"}"}} 1.0' in scraped[0]
    assert f"Metrics stay on http://127.0.0.1:{publication.port}/metrics for 60 s" in capsys.readouterr().err


def test_ctrl_c_ends_the_hold_and_not_the_training(monitor, publication, monkeypatch):
    """The training has already succeeded."""
    monkeypatch.setattr(time, "sleep", lambda seconds: os.kill(os.getpid(), signal.SIGINT))
    own_handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run(monitor, replace(publication, hold_seconds=60.0))
    finally:
        signal.signal(signal.SIGINT, own_handler)

    assert monitor.registry.get_sample_value("training_runs_total", {"result": "success"}) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interrupted_run_is_not_held(monitor, publication, pushgateway, monkeypatch, error):
    """The user wants it to end; the metrics are pushed nevertheless."""
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it was held"))
    publication = replace(publication, hold_seconds=60.0, pushgateway_url=pushgateway.url)
    with pytest.raises(error):
        run(monitor, publication, error())

    assert 'training_runs_total{result="interrupted"} 1.0' in pushgateway.pushed[0][2]


def test_metrics_are_pushed_at_the_end(monitor, publication, pushgateway):
    """Added to existing ones under the model's name, with the result and the resource usage."""
    with replace(publication, port=0, pushgateway_url=pushgateway.url).publish(monitor), monitor.watch_run():
        assert pushgateway.pushed == []

    ((method, path, body),) = pushgateway.pushed
    assert (method, path) == ("POST", "/metrics/job/training/model_name/credits")
    assert 'training_runs_total{result="success"} 1.0' in body
    assert "training_last_success_timestamp_seconds" in body
    assert "training_memory_usage_bytes 0.0" not in body


def test_push_after_a_failure_keeps_the_last_success(monitor, publication, pushgateway):
    """Metrics that are not pushed are not replaced."""
    with pytest.raises(ValueError, match="bad"):
        run(monitor, replace(publication, port=0, pushgateway_url=pushgateway.url), ValueError("bad"))

    assert 'training_runs_total{result="failure"} 1.0' in pushgateway.pushed[0][2]
    assert "last_success" not in pushgateway.pushed[0][2]


@pytest.mark.parametrize("trouble", ["nobody listens", "refused", "no address"])
def test_failing_pushgateway_does_not_fail_the_training(monitor, publication, pushgateway, capsys, trouble):
    """One line reports it."""
    pushgateway.status = 400
    url = {
        "nobody listens": f"http://127.0.0.1:{free_port()}",
        "refused": pushgateway.url,
        "no address": "http://[",
    }[trouble]
    run(monitor, replace(publication, port=0, pushgateway_url=url))

    shown = capsys.readouterr().err
    assert shown.startswith("training: the metrics could not be pushed to PUSHGATEWAY_URL (")
    assert shown.endswith("); the model is not affected.\n")
    assert shown.count("\n") == 1
