"""Each shape ends by itself, headless and on the web page; without --shape there is none."""

from __future__ import annotations

import json
import threading
import time

import pytest
import requests

from tests.loadtest.running_locust import run_locust, running_page
from tests.system.running_service import wait_until

pytestmark = [pytest.mark.system, pytest.mark.long]

# Locust polls a shape once a second: with this scale, a stage of half a minute takes a second.
SHORT = 1 / 30

# Far apart, so that a busy machine delays no answer of 20 ms beyond the limit.
LIMIT_MS, CROWDED_SECONDS = 750, 1.5


@pytest.fixture
def rows_file(tmp_path):
    """Write a file with one row."""
    file = tmp_path / "rows.csv"
    file.write_text("mean,sd\n1,2\n")
    return file


def run_shape(service, rows_file, shape, *arguments, scale=SHORT):
    """Run a shape headless and without a run time; return the finished process and its result."""
    result = rows_file.with_name("result.json")
    finished = run_locust(
        *("-H", service.url, "--headless", "--rows", rows_file, "--json", result),
        *("--shape", shape, "--shape-scale", scale, *arguments),
    )
    return finished, json.loads(result.read_text())


def test_shape_ends_by_itself_and_selects_its_users(start_service, rows_file):
    """The stages run until the end, and `errors` selects BadInputUser by default."""
    # The fake service's rejections are no problem documents, so they count as failures.
    finished, result = run_shape(start_service(), rows_file, "errors", "--max-fail-ratio", 1)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert result["users"] == ["BadInputUser"]
    reached = [line.split("updating to ")[1].split()[0] for line in finished.stderr.splitlines() if "updating" in line]
    assert max(map(int, reached)) == 10
    assert reached[0] == reached[-1] == "1"


@pytest.mark.long
def test_named_users_override_those_of_the_shape(start_service, rows_file):
    """The shape determines the number of users, not their class."""
    service = start_service()

    finished, result = run_shape(service, rows_file, "errors", "SingleRowUser", scale=0.01)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert result["users"] == ["SingleRowUser"]
    assert service.predictions


def test_without_a_shape_users_and_time_are_those_of_the_command_line(start_service, rows_file):
    """No shape runs without --shape."""
    finished = run_locust("-H", start_service().url, "--headless", "--rows", rows_file, "-u", 2, "-r", 2, "-t", "1s")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "2 total users" in finished.stderr
    assert "Shape" not in finished.stderr


def slow_for_more_than(users):
    """Return a function that delays answers while more than ``users`` requests are in flight."""
    lock, in_flight = threading.Lock(), 0

    def change(answer):
        nonlocal in_flight
        with lock:
            in_flight += 1
            crowded = in_flight > users
        time.sleep(CROWDED_SECONDS if crowded else 0.02)
        with lock:
            in_flight -= 1
        return answer

    return change


def test_step_to_limit_reports_the_last_good_rate(start_service, rows_file):
    """Users are added until the p95 exceeds its limit; the result is that of the step before."""
    service = start_service(change_prediction=slow_for_more_than(2))

    finished, result = run_shape(service, rows_file, "step-to-limit", "--p95-ms", LIMIT_MS, "--min-rps", 1)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "with 2 users" in result["sentence"]
    assert "3 users exceed the limit of p95" in result["sentence"]
    assert 20 < result["p95_ms"] < LIMIT_MS
    assert result["requests"] < len(service.predictions)


@pytest.mark.long
def test_step_to_limit_without_a_good_step_fails(start_service, rows_file):
    """A service that is too slow for one user has no good rate."""
    service = start_service(change_prediction=slow_for_more_than(0))

    finished, result = run_shape(service, rows_file, "step-to-limit", "--p95-ms", 100)

    assert finished.returncode == 1
    assert "one user is already too many" in result["sentence"]


@pytest.mark.long
def test_shape_ends_by_itself_on_the_web_page(start_service, rows_file, tmp_path):
    """A shape started on the web page stops and is evaluated, and can be started again."""
    service = start_service(change_prediction=slow_for_more_than(2))
    log = tmp_path / "locust.log"
    arguments = ["--rows", rows_file, "--shape", "step-to-limit", "--shape-scale", SHORT, "--p95-ms", LIMIT_MS]
    with running_page(service.url, log, *arguments) as page:
        for run in (1, 2):
            answer = requests.post(f"{page}/swarm", data={"host": service.url}, timeout=5).json()
            assert answer["success"], answer
            wait_until(lambda run=run: log.read_text().count("Result: ") == run, "the end of the shape")
            assert requests.get(f"{page}/stats/requests", timeout=5).json()["state"] == "stopped"

    assert log.read_text().count("Result: passed") == 2
    assert log.read_text().count("with 2 users") == 2
    assert log.read_text().count("updating to 1 users") == 2
