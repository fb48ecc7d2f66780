"""The real ``locust`` program drives a small real service, and notices when it lies."""

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
    PATIENCE_SECONDS,
    meeting_point,
    requests_counted,
    run_locust,
    running_page,
    statistics_file,
)
from tests.system.running_service import wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def rows_file(tmp_path):
    """Make seven rows, a number that the runs below walk through many times."""
    file = tmp_path / "rows.csv"
    file.write_text("mean,sd\n" + "".join(f"{number},{number / 8}\n" for number in range(7)))
    return file


def run_headless(service_url, rows_file, *arguments, users=1, cwd=None):
    """Run a load of one second without the web page."""
    return run_locust(
        *("-H", service_url, "--headless", "-u", users, "-r", users, "-t", "1s"),
        *("--rows", rows_file, *arguments),
        cwd=cwd,
    )


def test_an_honest_service_passes(start_service, rows_file):
    """Locust counts what the service counts, a quarter asks for the score, and each user ends politely."""
    service = start_service()

    finished = run_headless(service.url, rows_file, *statistics_file(rows_file), users=3)

    assert finished.returncode == 0, finished.stderr
    sent = len(service.predictions)
    assert requests_counted(rows_file) == {"/prediction": (sent, 0), "/model_information": (3, 0)}
    # One more was asked before the run, for what the model takes.
    assert service.model_information_requests == 3 + 1
    asked = sum(request["score"] for request in service.predictions)
    # Six standard deviations of the share: a right program fails this once in 500 million runs.
    assert abs(asked / sent - 0.25) < 6 * (0.25 * 0.75 / sent) ** 0.5
    visits = Counter(tuple(request["feature_vector"]) for request in service.predictions)
    assert set(visits) == {(number, number / 8) for number in range(7)}
    # No user comes back to a row before it has been to all others, so three users differ by three at most.
    assert max(visits.values()) - min(visits.values()) <= 3
    beginnings = [repr(sent_by_user[:20]) for sent_by_user in service.predictions_by_port.values()]
    assert len(set(beginnings)) == 3


def slowly(answer):
    """Take so long that the end of a run always finds a request without its answer."""
    time.sleep(0.3)
    return answer


def test_the_end_of_a_run_waits_for_the_last_answer(start_service, rows_file):
    """A request that is on its way when the time is over is answered, checked and counted."""
    service = start_service(lie_about_prediction=slowly)

    finished = run_headless(service.url, rows_file, *statistics_file(rows_file), users=3)

    assert finished.returncode == 0, finished.stderr
    assert requests_counted(rows_file)["/prediction"] == (len(service.predictions), 0)


def test_the_seed_decides_what_is_sent(start_service, rows_file, tmp_path):
    """A run repeats an earlier one from another folder, and another seed sends something else."""
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
    """Forget the score."""
    status, content = answer
    return status, {"is_inlier": content["is_inlier"]}


@pytest.mark.parametrize(
    ("lies", "name", "sentence"),
    [
        pytest.param(
            {"lie_about_prediction": without_score},
            "POST /prediction",
            "anomaly_score is missing although the request asked for it.",
            id="score missing",
        ),
        pytest.param(
            {"lie_about_prediction": lambda answer: (200, {**answer[1], "is_inlier": 7})},
            "POST /prediction",
            "is_inlier is 7, expected 1 or -1.",
            id="label 7",
        ),
        pytest.param(
            {"lie_about_prediction": lambda answer: (422, {"title": "Wrong length"})},
            "POST /prediction",
            "The status is 422 (Wrong length), expected 200.",
            id="refused",
        ),
        pytest.param(
            {"lie_about_model": lambda answer: (200, {})},
            "GET /model_information",
            "model.version is missing or is not a text.",
            id="model without version",
        ),
    ],
)
def test_a_lying_service_fails(start_service, rows_file, lies, name, sentence):
    """The run ends with status 1, and its report says once what was wrong."""
    service = start_service(**lies)

    finished = run_headless(service.url, rows_file)

    assert finished.returncode == 1
    report = [line for line in finished.stderr.splitlines() if sentence in line]
    assert len(report) == 1
    assert name in report[0]


def test_a_service_that_is_not_there_has_an_exit_code_of_its_own(rows_file):
    """Nothing is sent to nobody, and the sentence has the words of the network."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        finished = run_headless(f"http://127.0.0.1:{unused.getsockname()[1]}", rows_file)

    assert finished.returncode == 3
    assert "Connection refused" in finished.stderr
    assert "--host" in finished.stderr


def test_processes_of_one_run_send_different_orders(start_service, rows_file):
    """Two Locust processes with one user each do not send the same rows in the same order."""
    service = start_service()

    finished = run_headless(service.url, rows_file, "--processes", 2, *meeting_point(), users=2)

    assert finished.returncode == 0, finished.stderr
    one, other = service.predictions_by_port.values()
    assert min(len(one), len(other)) >= 20
    assert one[:20] != other[:20]


def test_the_default_rows_are_those_of_the_repository(start_service, rows_file, tmp_path):
    """Wherever Locust is started, it takes data/test.csv beside the folder of the load test."""
    service = start_service()
    shutil.copytree(LOCUSTFILE.parent, tmp_path / "repository" / "loadtest")
    (tmp_path / "repository" / "data").mkdir()
    shutil.copy(rows_file, tmp_path / "repository" / "data" / "test.csv")
    copied = tmp_path / "repository" / "loadtest" / LOCUSTFILE.name

    finished = run_locust("-H", service.url, "--headless", "-t", "1s", locustfile=copied, cwd=tmp_path)

    assert finished.returncode == 0, finished.stderr
    assert {tuple(request["feature_vector"]) for request in service.predictions} == {(n, n / 8) for n in range(7)}


@pytest.mark.parametrize("mode", [["--headless"], []], ids=["headless", "web page"])
def test_a_missing_rows_file_is_one_sentence(tmp_path, mode):
    """The program ends at once with the status of a bad argument and says what to do."""
    missing = tmp_path / "test.csv"

    finished = run_locust("-H", "http://127.0.0.1:9", "--rows", missing, "--skip-log", *mode)

    assert finished.returncode == 2
    assert finished.stderr == (
        f"{missing} does not exist: make it with `make data`, or name another file with --rows FILE.\n"
    )


def test_the_web_page_starts_and_stops_a_load(start_service, rows_file, tmp_path):
    """A load started again from the page sends the same again, unless the seed was changed there."""
    service = start_service()
    runs = []
    with running_page(service.url, tmp_path / "locust.log", "--rows", rows_file) as page:
        for seed in (16, 16, 17):
            service.predictions.clear()
            stops = service.model_information_requests
            form = {"user_count": 1, "spawn_rate": 1, "host": service.url, "seed": seed}
            assert requests.post(f"{page}/swarm", data=form, timeout=5).json()["success"]
            wait_until(lambda: len(service.predictions) >= 20, "the load")
            requests.post(f"{page}/stop", timeout=PATIENCE_SECONDS).raise_for_status()
            # Once for what the model takes, once by the user who ends.
            assert service.model_information_requests == stops + 2
            runs.append(service.predictions[:20])

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert (tmp_path / "locust.log").read_text().count("Verdict: passed") == 3


def test_the_web_page_starts_the_same_workers_again(start_service, rows_file, tmp_path):
    """Workers are ready for the next run as soon as the last has ended, and each run is judged whole."""
    service = start_service()
    log = tmp_path / "locust.log"
    # Locust's own pause between two runs is as long as this: far longer than anybody waits here.
    arguments = ["--rows", rows_file, "--processes", 2, *meeting_point(), "--stop-timeout", 600]
    with running_page(service.url, log, *arguments) as page:
        wait_until(lambda: log.read_text().count("reported as ready") == 2, "the workers")
        for run in (1, 2):
            service.predictions.clear()
            service.predictions_by_port.clear()
            form = {"user_count": 2, "spawn_rate": 2, "host": service.url}
            assert requests.post(f"{page}/swarm", data=form, timeout=5).json()["success"]
            wait_until(lambda: len(service.predictions_by_port) >= 2 and len(service.predictions) >= 40, "the load")
            requests.post(f"{page}/stop", timeout=PATIENCE_SECONDS).raise_for_status()
            # A worker that was slow to be heard may say it twice.
            wait_until(lambda run=run: log.read_text().count("reported as ready") >= 2 + 2 * run, "ready workers")

    judged = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("  requests ")]
    assert len(judged) == 2
    # Two users asked for the model at their end.
    assert int(judged[1]) == len(service.predictions) + 2


def test_a_stop_between_a_workers_order_and_its_users_is_heard(start_service, rows_file, tmp_path):
    """Where one worker runs and the other still asks for the model, a stop of the second run ends both."""
    asked, first_run, stopped = [], 10**6, threading.Event()

    def slowly_for_the_last_worker(answer):
        """Let the slower of the two workers of the second run wait until the other has ended."""
        asked.append(answer)
        if len(asked) == first_run + 2:
            assert stopped.wait(PATIENCE_SECONDS)
        return answer

    service = start_service(lie_about_model=slowly_for_the_last_worker)
    log = tmp_path / "locust.log"
    arguments = ["--rows", rows_file, "--processes", 2, *meeting_point(), "--stop-timeout", 600]
    form = {"user_count": 2, "spawn_rate": 2, "host": service.url}
    with running_page(service.url, log, *arguments) as page:
        wait_until(lambda: log.read_text().count("reported as ready") == 2, "the workers")
        assert requests.post(f"{page}/swarm", data=form, timeout=5).json()["success"]
        wait_until(lambda: len(service.predictions_by_port) == 2, "the load")
        requests.post(f"{page}/stop", timeout=PATIENCE_SECONDS).raise_for_status()
        wait_until(lambda: log.read_text().count("reported as ready") >= 4, "ready workers")
        first_run = len(asked)

        assert requests.post(f"{page}/swarm", data=form, timeout=5).json()["success"]
        wait_until(lambda: len(service.predictions_by_port) == 3, "the load of one worker")
        stop = threading.Thread(target=requests.post, args=[f"{page}/stop"], kwargs={"timeout": PATIENCE_SECONDS})
        stop.start()
        wait_until(lambda: log.read_text().count("reported that it has stopped") == 3, "the worker that ran")
        stopped.set()
        stop.join()
        wait_until(lambda: log.read_text().count("reported as ready") >= 6, "ready workers")

    judged = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("  requests ")]
    # Three users asked for the model at their end; a fourth never began.
    assert sum(judged) == len(service.predictions) + 3
    assert len(service.predictions_by_port) == 3
