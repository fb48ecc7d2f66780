"""Each shape ends by itself, without the page and with it, and without a shape there is none."""

from __future__ import annotations

import json
import threading
import time

import pytest
import requests

from tests.loadtest.running_locust import run_locust, running_page
from tests.system.running_service import wait_until

pytestmark = pytest.mark.system

# Locust looks at a shape once a second: with this scale a stage of half a minute is a second long.
SHORT = 1 / 30


@pytest.fixture
def rows_file(tmp_path):
    """Make a file of one row."""
    file = tmp_path / "rows.csv"
    file.write_text("mean,sd\n1,2\n")
    return file


def run_shape(service, rows_file, shape, *arguments, scale=SHORT):
    """Run a shape without the page and without a run time; give how it finished, and its verdict."""
    verdict = rows_file.with_name("verdict.json")
    finished = run_locust(
        *("-H", service.url, "--headless", "--rows", rows_file, "--json", verdict),
        *("--shape", shape, "--shape-scale", scale, *arguments),
    )
    return finished, json.loads(verdict.read_text())


def test_shape_ends_by_itself_and_brings_its_users(start_service, rows_file):
    """The stages follow each other to the end of the program; `errors` sends bad input without being told."""
    # The fake's refusals are none, so they count as failures.
    finished, verdict = run_shape(start_service(), rows_file, "errors", "--max-fail-ratio", 1)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert verdict["users"] == ["BadInputUser"]
    reached = [line.split("updating to ")[1].split()[0] for line in finished.stderr.splitlines() if "updating" in line]
    assert max(map(int, reached)) == 10
    assert reached[0] == reached[-1] == "1"


def test_named_users_go_before_those_of_the_shape(start_service, rows_file):
    """A shape says how many users there are; who they are can be chosen."""
    service = start_service()

    finished, verdict = run_shape(service, rows_file, "errors", "SingleRowUser", scale=0.01)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert verdict["users"] == ["SingleRowUser"]
    assert service.predictions


def test_shape_ends_by_itself_on_the_page(start_service, rows_file, tmp_path):
    """A shape that is started on the page stops there, is judged, and can be started again."""
    service = start_service()
    log = tmp_path / "locust.log"
    with running_page(service.url, log, "--rows", rows_file, "--shape", "ramp", "--shape-scale", SHORT) as page:
        for run in (1, 2):
            answer = requests.post(f"{page}/swarm", data={"host": service.url}, timeout=5).json()
            assert answer["success"], answer
            wait_until(lambda run=run: log.read_text().count("Verdict: passed") == run, "the end of the shape")
            assert requests.get(f"{page}/stats/requests", timeout=5).json()["state"] == "stopped"


def test_without_a_shape_users_and_time_are_those_of_the_command_line(start_service, rows_file):
    """No shape takes over that nobody asked for."""
    finished = run_locust("-H", start_service().url, "--headless", "--rows", rows_file, "-u", 2, "-r", 2, "-t", "1s")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "2 total users" in finished.stderr
    assert "Shape" not in finished.stderr


def slow_for_more_than(users):
    """Answer slowly whenever more than so many requests are in flight."""
    lock, in_flight = threading.Lock(), 0

    def lie(answer):
        nonlocal in_flight
        with lock:
            in_flight += 1
            crowded = in_flight > users
        time.sleep(0.5 if crowded else 0.02)
        with lock:
            in_flight -= 1
        return answer

    return lie


def test_step_to_limit_reports_the_last_good_rate(start_service, rows_file):
    """Users are added until the p95 crosses its limit; the verdict is on the step before."""
    service = start_service(lie_about_prediction=slow_for_more_than(2))

    finished, verdict = run_shape(service, rows_file, "step-to-limit", "--p95-ms", 250, "--min-rps", 1, scale=0.1)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "with 2 users" in verdict["sentence"]
    assert "3 users cross the limit of p95" in verdict["sentence"]
    assert 20 < verdict["p95_ms"] < 250
    assert verdict["requests"] < len(service.predictions)


def test_step_to_limit_without_a_good_step_is_missed(start_service, rows_file):
    """A service that is too slow for one user has no good rate."""
    service = start_service(lie_about_prediction=slow_for_more_than(0))

    finished, verdict = run_shape(service, rows_file, "step-to-limit", "--p95-ms", 100)

    assert finished.returncode == 1
    assert "one user is already too many" in verdict["sentence"]
