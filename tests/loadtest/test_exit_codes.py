"""The program's exit code and result files are correct, whatever happened."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tests.loadtest.running_locust import free_master_port, run_locust

pytestmark = pytest.mark.system


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a load test of one second, with a file of one row and both result files."""
    rows = tmp_path / "rows.csv"
    rows.write_text("mean,sd\n1,2\n")

    def run(host, *arguments):
        finished = run_locust(
            *("-H", host, "--headless", "-t", "1s", "--rows", rows),
            *("--json", tmp_path / "new" / "result.json", "--junit", tmp_path / "new" / "result.xml"),
            *arguments,
        )
        result = tmp_path / "new" / "result.json"
        return finished, json.loads(result.read_text()) if result.exists() and result.stat().st_size else None

    return run


def fail_every_second():
    """Return a function that answers every second request with a 500."""
    count = 0

    def change(answer):
        nonlocal count
        count += 1
        return (500, {}) if count % 2 else answer

    return change


@pytest.mark.parametrize(
    ("options", "code", "missed"),
    [
        ([], 1, ["fail ratio"]),
        (["--max-fail-ratio", "0.6"], 0, []),
        (["--max-fail-ratio", "0.6", "--p95-ms", "5000", "--p99-ms", "5000", "--min-rps", "1"], 0, []),
        (["--max-fail-ratio", "0.6", "--p95-ms", "0.001", "--p99-ms", "0.001"], 1, ["p95", "p99"]),
        (["--max-fail-ratio", "0.6", "--min-rps", "1000000"], 1, ["rate"]),
        (["--warmup-s", "600"], 1, ["requests"]),
    ],
    ids=["failures", "allowed failures", "all met", "too slow", "too few", "nothing but warm-up"],
)
def test_exit_code_follows_the_criteria(start_service, run, options, code, missed):
    """The exit code, the printed result and the file agree on what was missed."""
    service = start_service(change_prediction=fail_every_second())

    finished, result = run(service.url, *options)

    assert finished.returncode == code, finished.stdout + finished.stderr
    assert result["exit_code"] == code
    assert [criterion["name"] for criterion in result["criteria"] if not criterion["is_met"]] == missed
    assert f"(exit code {code})" in finished.stdout
    assert [line.split()[-1] for line in finished.stdout.splitlines()[1:]].count("missed") == len(missed)


@pytest.mark.long
def test_warm_up_is_ignored(start_service, run):
    """Failures during the warm-up do not count, and all later requests do."""
    service = start_service()
    failing_first = iter([(500, {"title": "Not yet"})] * 5)
    service.change_prediction = lambda answer: next(failing_first, answer)

    finished, result = run(service.url, "--warmup-s", "0.5")

    assert finished.returncode == 0, finished.stdout
    assert result["failures"] == 0
    assert 0 < result["requests"] < len(service.predictions) + 2
    assert result["seconds"] < 1


@pytest.mark.long
@pytest.mark.parametrize("processes", [[], ["--processes", 2]], ids=["one process", "workers"])
def test_unreachable_service(run, tmp_path, processes):
    """Nothing is started, workers end with their master, and the JUnit file contains an error."""
    finished, result = run("http://127.0.0.1:9", *processes, *(free_master_port() if processes else []))

    assert finished.returncode == 3
    assert result["verdict"] == "unreachable"
    assert next(ElementTree.parse(tmp_path / "new" / "result.xml").iter("error")) is not None


def test_service_that_stops_answering_is_unreachable(start_service, run):
    """A service that describes its model and then closes every connection is unreachable."""
    service = start_service()
    service.handle_error = lambda *_: None  # http.server would print every error.
    first = iter([True])

    def close_connection(answer):
        raise ConnectionAbortedError

    def answer_once(answer):
        return answer if next(first, False) else close_connection(answer)

    service.change_prediction, service.change_model = close_connection, answer_once

    finished, result = run(service.url)

    assert finished.returncode == 3, finished.stdout + finished.stderr
    assert result["requests"] == result["unanswered"] > 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["Somebody"], "there is no user 'Somebody'"),
        (["--tags", "nothing"], "the tags are bad-input, batch, boundary, drifted, single, v2"),
        (["--shape", "circle"], "choose from 'ramp'"),
        (["--shape-scale", "0"], "not a number of at least 0.01"),
        (["--max-fail-ratio", "5"], "of at most 1"),
        (["--p95-ms", "nan"], "not a number"),
        (["--junit", "/proc/none/result.xml"], "cannot be written"),
    ],
)
def test_usage_error_is_reported_in_one_line(start_service, run, options, part):
    """The exit code is that of a usage error, the message says what is valid, and nothing is sent."""
    service = start_service()

    finished, _ = run(service.url, *options)

    assert finished.returncode == 2
    assert part in finished.stderr
    assert service.predictions == []


def test_missing_host_is_a_usage_error(run):
    """Headless, the host is required."""
    finished, _ = run("")

    assert finished.returncode == 2
    assert "--host http://127.0.0.1:8000" in finished.stderr


def test_accepted_bad_input_fails(start_service, run):
    """A 200 or a 5xx for an invalid request is a failure."""
    for answer in ((200, {"is_inlier": 1}), (500, {})):
        service = start_service(change_prediction=lambda _, answer=answer: answer)

        finished, result = run(service.url, "BadInputUser")

        assert finished.returncode == 1
        assert result["failures"] == result["requests"] > 0


def test_user_that_needs_the_model_does_not_start_without_it(start_service, run):
    """Some users cannot send requests to a service that does not describe its model."""
    service = start_service()

    finished, result = run(service.url, "BoundaryUser")

    # The fake service's description is incomplete.
    assert finished.returncode == 3
    assert "does not describe a model" in result["sentence"]
