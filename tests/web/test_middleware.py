"""Every request has an id, is counted while it is in flight, and is logged in one line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from flask import Flask

from app.metrics.http import MetricsRegistry, register_http_metrics
from app.metrics.service import ServiceMetrics
from app.web.access_log import RequestLog
from app.web.middleware import REFUSED_ID_HEADER, REQUEST_ID_HEADER, install_middleware, request_ids


class _Service:
    """A tiny service with the middleware, and functions that observe it."""

    def __init__(self, log_file: int | None) -> None:
        registry = MetricsRegistry()
        self.metrics = ServiceMetrics(registry)
        self.log = RequestLog(as_text=False, file=log_file) if log_file is not None else None
        self.in_flight: list[float] = []
        app = Flask("tiny")

        @app.get("/rows/<row>")
        def answer(row: str) -> str:
            self.in_flight.append(self.requests_in_flight())
            if row == "broken":
                raise RuntimeError("broken")
            return request_ids().request_id

        register_http_metrics(app, registry, {})
        install_middleware(app, self.metrics, self.log)
        self.client = app.test_client()

    def requests_in_flight(self) -> float:
        return self.metrics.registry.get_sample_value("app_requests_in_flight")


@pytest.fixture
def log_pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe: the one that tests read, and the one that the log is written to."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


@pytest.fixture
def service(log_pipe: tuple[int, int]) -> _Service:
    """A fresh service."""
    return _Service(log_pipe[1])


@pytest.mark.parametrize("given", ["a", "7f3e-1.2_x:9", "x" * 128, "dGVzdA==", "Root=1-6", "{9F}", '"q"', "!~"])
def test_valid_id_is_kept(service: _Service, given: str):
    """A caller finds its own id in the answer and in the log."""
    response = service.client.get("/rows/7", headers={REQUEST_ID_HEADER: given})

    assert response.text == response.headers[REQUEST_ID_HEADER] == given
    assert REFUSED_ID_HEADER not in response.headers


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "ünicode", "line\tbreak", "a\x7f"])
def test_invalid_id_is_replaced(service: _Service, given: str):
    """An id that could break a log line or a header is not used."""
    response = service.client.get("/rows/7", headers={REQUEST_ID_HEADER: given.encode().decode("latin-1")})

    assert response.headers[REQUEST_ID_HEADER] == response.text != given
    assert (REFUSED_ID_HEADER in response.headers) == bool(given)
    assert len(response.text) == 32


def test_ids_differ(service: _Service):
    """Two requests have different ids."""
    assert service.client.get("/rows/7").text != service.client.get("/rows/7").text


@pytest.mark.parametrize(("path", "status"), [("/rows/7", 200), ("/nowhere", 404), ("/rows/broken", 500)])
def test_requests_in_flight_return_to_zero(service: _Service, path: str, status: int):
    """The gauge decreases after every request: answered, unknown, failed."""
    assert service.client.get(path).status_code == status
    assert service.in_flight == ([] if status == 404 else [1])
    assert service.requests_in_flight() == 0


def test_each_request_is_logged_in_one_line(service: _Service, log_pipe: tuple[int, int]):
    """The line has the route and not the path, which may hold anything."""
    answer = service.client.get("/rows/secret")
    service.client.open("/secret", method="FOO")
    service.log.flush()
    first, second = (json.loads(line) for line in os.read(log_pipe[0], 10_000).splitlines())

    assert (first["route"], first["status"], first["method"]) == ("/rows/<row>", 200, "GET")
    assert first["request_id"] == answer.headers[REQUEST_ID_HEADER]
    assert first["milliseconds"] > 0
    assert first["message"].startswith("GET /rows/<row> 200 ")
    assert (second["route"], second["status"], second["method"]) == ("unmatched", 404, "OTHER")


def test_server_error_is_written_at_once(service: _Service, log_pipe: tuple[int, int]):
    """The line of a server error does not wait for the next flush, and follows the lines before it."""
    service.client.get("/rows/7")
    service.client.get("/rows/broken")

    lines = [json.loads(line) for line in os.read(log_pipe[0], 10_000).splitlines()]
    assert [line["status"] for line in lines] == [200, 500]


def test_service_without_a_log_writes_nothing(capfd: pytest.CaptureFixture[str]):
    """With `LOG_REQUESTS=false` there is no log, and requests are answered all the same."""
    service = _Service(log_file=None)

    assert service.client.get("/rows/7").status_code == 200
    assert service.client.get("/rows/broken").status_code == 500
    assert "isowatch.request" not in capfd.readouterr().err
