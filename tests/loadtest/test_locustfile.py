"""The real ``locust`` program sends requests to a small real service, and detects its wrong answers."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections import Counter

import pytest
import requests

from tests.loadtest.running_locust import (
    LOCUSTFILE,
    TIMEOUT_SECONDS,
    free_master_port,
    requests_counted,
    run_locust,
    running_page,
    statistics_file,
)
from tests.system.running_service import wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def rows_file(tmp_path):
    """Write seven rows, which the runs below send many times."""
    file = tmp_path / "rows.csv"
    file.write_text("mean,sd\n" + "".join(f"{number},{number / 8}\n" for number in range(7)))
    return file


def run_headless(service_url, rows_file, *arguments, users=1, cwd=None, seconds=1):
    """Run a headless load test, with several processes a longer one: they start one after the other."""
    return run_locust(
        *("-H", service_url, "--headless", "-u", users, "-r", users, "-t", f"{seconds}s"),
        *("--rows", rows_file, *arguments),
        cwd=cwd,
    )


def test_a_correct_service_passes(start_service, rows_file):
    """Locust and the service count the same, a quarter requests the score, and each user runs its last request."""
    service = start_service()

    finished = run_headless(service.url, rows_file, *statistics_file(rows_file), users=3)

    assert finished.returncode == 0, finished.stderr
    sent = len(service.predictions)
    assert requests_counted(rows_file) == {"/prediction": (sent, 0), "/model_information": (3, 0)}
    # One more before the run, for the model's description.
    assert service.model_information_requests == 3 + 1
    scored = sum(request["score"] for request in service.predictions)
    # Six standard deviations of the share: a correct program fails this once in 500 million runs.
    assert abs(scored / sent - 0.25) < 6 * (0.25 * 0.75 / sent) ** 0.5
    visits = Counter(tuple(request["feature_vector"]) for request in service.predictions)
    assert set(visits) == {(number, number / 8) for number in range(7)}
    # No user repeats a row before it has sent all others, so three users differ by at most three.
    assert max(visits.values()) - min(visits.values()) <= 3
    beginnings = [repr(sent_by_user[:20]) for sent_by_user in service.predictions_by_port.values()]
    assert len(set(beginnings)) == 3


def slowly(answer):
    """Answer so slowly that a request is always in flight when the run ends."""
    time.sleep(0.3)
    return answer


def test_the_end_of_a_run_waits_for_the_last_answer(start_service, rows_file):
    """A request in flight when the time is up is answered, checked and counted."""
    service = start_service(change_prediction=slowly)

    finished = run_headless(service.url, rows_file, *statistics_file(rows_file), users=3)

    assert finished.returncode == 0, finished.stderr
    assert requests_counted(rows_file)["/prediction"] == (len(service.predictions), 0)


def test_the_seed_determines_what_is_sent(start_service, rows_file, tmp_path):
    """The same seed repeats a run, even from another folder; another seed sends different requests."""
    sent = {}
    for run, seed, folder in [("first", 1, None), ("again", 1, tmp_path), ("other", 2, None)]:
        service = start_service()
        assert run_headless(service.url, rows_file, "--seed", seed, cwd=folder).returncode == 0
        sent[run] = service.predictions

    shortest = min(map(len, sent.values()))
    assert shortest >= 20
    assert sent["first"][:shortest] == sent["again"][:shortest]
    assert sent["first"][:shortest] != sent["other"][:shortest]


def without_score(answer):
    """Remove the score."""
    status, content = answer
    return status, {"is_inlier": content["is_inlier"]}


@pytest.mark.parametrize(
    ("changes", "name", "sentence"),
    [
        pytest.param(
            {"change_prediction": without_score},
            "POST /prediction",
            "anomaly_score is missing although the request asked for it.",
            id="score missing",
        ),
        pytest.param(
            {"change_prediction": lambda answer: (200, {**answer[1], "is_inlier": 7})},
            "POST /prediction",
            "is_inlier is 7, expected 1 or -1.",
            id="label 7",
        ),
        pytest.param(
            {"change_prediction": lambda answer: (422, {"title": "Wrong length"})},
            "POST /prediction",
            "The status is 422 (Wrong length), expected 200.",
            id="refused",
        ),
        pytest.param(
            {"change_model": lambda answer: (200, {})},
            "GET /model_information",
            "model.version is missing or not a string.",
            id="model without version",
        ),
    ],
)
def test_wrong_answers_fail(start_service, rows_file, changes, name, sentence):
    """The exit code is 1, and the report says once what was wrong."""
    service = start_service(**changes)

    finished = run_headless(service.url, rows_file)

    assert finished.returncode == 1
    report = [line for line in finished.stderr.splitlines() if sentence in line]
    assert len(report) == 1
    assert name in report[0]


def test_an_unreachable_service_has_its_own_exit_code(rows_file):
    """The message contains the network's error."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        finished = run_headless(f"http://127.0.0.1:{unused.getsockname()[1]}", rows_file)

    assert finished.returncode == 3
    assert "Connection refused" in finished.stderr
    assert "--host" in finished.stderr


def test_processes_of_one_run_send_different_orders(start_service, rows_file):
    """Two Locust processes with one user each send different orders of the rows."""
    service = start_service()

    finished = run_headless(service.url, rows_file, "--processes", 2, *free_master_port(), users=2, seconds=4)

    assert finished.returncode == 0, finished.stderr
    one, other = service.predictions_by_port.values()
    assert min(len(one), len(other)) >= 20
    assert one[:20] != other[:20]


def test_the_default_rows_are_those_of_the_repository(start_service, rows_file, tmp_path):
    """Wherever Locust is started, it uses data/test.csv next to the load test's folder."""
    service = start_service()
    shutil.copytree(LOCUSTFILE.parent, tmp_path / "repository" / "loadtest")
    (tmp_path / "repository" / "data").mkdir()
    shutil.copy(rows_file, tmp_path / "repository" / "data" / "test.csv")
    copied = tmp_path / "repository" / "loadtest" / LOCUSTFILE.name

    finished = run_locust("-H", service.url, "--headless", "-t", "1s", locustfile=copied, cwd=tmp_path)

    assert finished.returncode == 0, finished.stderr
    assert {tuple(request["feature_vector"]) for request in service.predictions} == {(n, n / 8) for n in range(7)}


@pytest.mark.parametrize("mode", [["--headless"], []], ids=["headless", "web page"])
def test_a_missing_rows_file_is_reported_in_one_line(tmp_path, mode):
    """The program exits immediately with the code of a usage error and says what to do."""
    missing = tmp_path / "test.csv"

    finished = run_locust("-H", "http://127.0.0.1:9", "--rows", missing, "--skip-log", *mode)

    assert finished.returncode == 2
    assert finished.stderr == (
        f"{missing} does not exist: create it with `make data`, or give another file with --rows FILE.\n"
    )


def test_the_web_page_starts_and_stops_a_load(start_service, rows_file, tmp_path):
    """A run started again on the page sends the same requests, unless the seed was changed there."""
    service = start_service()
    runs = []
    with running_page(service.url, tmp_path / "locust.log", "--rows", rows_file) as page:
        for seed in (16, 16, 17):
            service.predictions.clear()
            stops = service.model_information_requests
            form = {"user_count": 1, "spawn_rate": 1, "host": service.url, "seed": seed}
            assert requests.post(f"{page}/swarm", data=form, timeout=5).json()["success"]
            wait_until(lambda: len(service.predictions) >= 20, "the load")
            requests.post(f"{page}/stop", timeout=TIMEOUT_SECONDS).raise_for_status()
            # Once for the model's description, once by the user that ends.
            assert service.model_information_requests == stops + 2
            runs.append(service.predictions[:20])

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert (tmp_path / "locust.log").read_text().count("Result: passed") == 3


@pytest.mark.long
def test_the_web_page_starts_the_same_workers_again(start_service, rows_file, tmp_path):
    """Workers are ready for the next run as soon as the last one has ended, and each run is evaluated separately."""
    service = start_service()
    log = tmp_path / "locust.log"
    # Locust would pause for the stop timeout between two runs: far longer than this test waits.
    arguments = ["--rows", rows_file, "--processes", 2, *free_master_port(), "--stop-timeout", 600]
    with running_page(service.url, log, *arguments) as page:
        wait_until(lambda: log.read_text().count("reported as ready") == 2, "the workers")
        for run in (1, 2):
            service.predictions.clear()
            service.predictions_by_port.clear()
            form = {"user_count": 2, "spawn_rate": 2, "host": service.url}
            assert requests.post(f"{page}/swarm", data=form, timeout=5).json()["success"]
            wait_until(lambda: len(service.predictions_by_port) >= 2 and len(service.predictions) >= 40, "the load")
            requests.post(f"{page}/stop", timeout=TIMEOUT_SECONDS).raise_for_status()
            # A worker with a delayed message may report it twice.
            wait_until(lambda run=run: log.read_text().count("reported as ready") >= 2 + 2 * run, "ready workers")

    criterion = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("  requests ")]
    assert len(criterion) == 2
    # Two users requested the model information at their end.
    assert int(criterion[1]) == len(service.predictions) + 2


def test_a_stop_before_a_workers_users_have_started(start_service, rows_file, tmp_path):
    """A stop while one worker runs and the other still waits for the model's description ends both."""
    answers, first_run, stopped = [], 10**6, threading.Event()

    def slowly_for_the_last_worker(answer):
        """Delay the slower one of the second run's workers until the other has stopped."""
        answers.append(answer)
        if len(answers) == first_run + 2:
            assert stopped.wait(TIMEOUT_SECONDS)
        return answer

    service = start_service(change_model=slowly_for_the_last_worker)
    log = tmp_path / "locust.log"
    arguments = ["--rows", rows_file, "--processes", 2, *free_master_port(), "--stop-timeout", 600]
    form = {"user_count": 2, "spawn_rate": 2, "host": service.url}
    with running_page(service.url, log, *arguments) as page:
        wait_until(lambda: log.read_text().count("reported as ready") == 2, "the workers")
        assert requests.post(f"{page}/swarm", data=form, timeout=5).json()["success"]
        wait_until(lambda: len(service.predictions_by_port) == 2, "the load")
        requests.post(f"{page}/stop", timeout=TIMEOUT_SECONDS).raise_for_status()
        wait_until(lambda: log.read_text().count("reported as ready") >= 4, "ready workers")
        first_run = len(answers)

        assert requests.post(f"{page}/swarm", data=form, timeout=5).json()["success"]
        wait_until(lambda: len(service.predictions_by_port) == 3, "the load of one worker")
        stop = threading.Thread(target=requests.post, args=[f"{page}/stop"], kwargs={"timeout": TIMEOUT_SECONDS})
        stop.start()
        wait_until(lambda: log.read_text().count("reported that it has stopped") == 3, "the worker that ran")
        stopped.set()
        stop.join()
        wait_until(lambda: log.read_text().count("reported as ready") >= 6, "ready workers")

    criterion = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("  requests ")]
    # Three users requested the model information at their end; the fourth never started.
    assert sum(criterion) == len(service.predictions) + 3
    assert len(service.predictions_by_port) == 3
