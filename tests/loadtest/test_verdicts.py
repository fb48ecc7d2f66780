"""The program's exit code and files say what happened, whatever it was."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tests.loadtest.running_locust import meeting_point, run_locust

pytestmark = pytest.mark.system


@pytest.fixture
def run(tmp_path):
    """Run a load of a second, with a file of one row and with both files of the verdict."""
    rows = tmp_path / "rows.csv"
    rows.write_text("mean,sd\n1,2\n")

    def run(host, *arguments):
        finished = run_locust(
            *("-H", host, "--headless", "-t", "1s", "--rows", rows),
            *("--json", tmp_path / "new" / "verdict.json", "--junit", tmp_path / "new" / "verdict.xml"),
            *arguments,
        )
        verdict = tmp_path / "new" / "verdict.json"
        return finished, json.loads(verdict.read_text()) if verdict.exists() and verdict.stat().st_size else None

    return run


def fail_every_second():
    """Answer every second prediction with a 500."""
    count = 0

    def lie(answer):
        nonlocal count
        count += 1
        return (500, {}) if count % 2 else answer

    return lie


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
    """The code, the printed verdict and the file agree on what was missed."""
    service = start_service(lie_about_prediction=fail_every_second())

    finished, verdict = run(service.url, *options)

    assert finished.returncode == code, finished.stdout + finished.stderr
    assert verdict["exit_code"] == code
    assert [judged["name"] for judged in verdict["criteria"] if not judged["is_met"]] == missed
    assert f"(exit code {code})" in finished.stdout
    assert [line.split()[-1] for line in finished.stdout.splitlines()[1:]].count("missed") == len(missed)


def test_warm_up_is_left_out(start_service, run):
    """Failures of the beginning do not count, and all later requests do."""
    service = start_service()
    failing_first = iter([(500, {"title": "Not yet"})] * 5)
    service.lie_about_prediction = lambda answer: next(failing_first, answer)

    finished, verdict = run(service.url, "--warmup-s", "0.5")

    assert finished.returncode == 0, finished.stdout
    assert verdict["failures"] == 0
    assert 0 < verdict["requests"] < len(service.predictions) + 2
    assert verdict["seconds"] < 1


@pytest.mark.parametrize("processes", [[], ["--processes", 2]], ids=["one process", "workers"])
def test_unreachable_service(run, tmp_path, processes):
    """Nothing is started, workers end with their master, and CI finds an error in its file."""
    finished, verdict = run("http://127.0.0.1:9", *processes, *(meeting_point() if processes else []))

    assert finished.returncode == 3
    assert verdict["verdict"] == "unreachable"
    assert next(ElementTree.parse(tmp_path / "new" / "verdict.xml").iter("error")) is not None


def test_service_that_goes_silent_is_unreachable(start_service, run):
    """A service that describes its model and then closes every connection has answered nothing."""
    service = start_service()
    service.handle_error = lambda *_: None  # http.server would print every one.
    first = iter([True])

    def hang_up(answer):
        raise ConnectionAbortedError

    def answer_once(answer):
        return answer if next(first, False) else hang_up(answer)

    service.lie_about_prediction, service.lie_about_model = hang_up, answer_once

    finished, verdict = run(service.url)

    assert finished.returncode == 3, finished.stdout + finished.stderr
    assert verdict["requests"] == verdict["unanswered"] > 0


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["Somebody"], "there is no user 'Somebody'"),
        (["--tags", "nothing"], "the tags are bad-input, batch, boundary, drifted, single, v2"),
        (["--shape", "circle"], "choose from 'ramp'"),
        (["--shape-scale", "0"], "not a number of at least 0.01"),
        (["--max-fail-ratio", "5"], "of at most 1"),
        (["--p95-ms", "nan"], "not a number"),
        (["--junit", "/proc/none/verdict.xml"], "cannot be written"),
    ],
)
def test_bad_usage_is_one_sentence(start_service, run, options, part):
    """The code is that of a bad argument, the sentence says what is good, and nothing is sent."""
    service = start_service()

    finished, _ = run(service.url, *options)

    assert finished.returncode == 2
    assert part in finished.stderr
    assert service.predictions == []


def test_missing_host_is_bad_usage(run):
    """Without a page to type it into, the host has to be named."""
    finished, _ = run("")

    assert finished.returncode == 2
    assert "--host http://127.0.0.1:8000" in finished.stderr


def test_bad_input_that_is_taken_fails(start_service, run):
    """A service that answers bad input as if it were good, or with a 5xx, is told apart from one that refuses it."""
    for answer in ((200, {"is_inlier": 1}), (500, {})):
        service = start_service(lie_about_prediction=lambda _, answer=answer: answer)

        finished, verdict = run(service.url, "BadInputUser")

        assert finished.returncode == 1
        assert verdict["failures"] == verdict["requests"] > 0


def test_user_who_needs_the_model_does_not_begin_without_it(start_service, run):
    """A service that does not say what its model takes cannot be driven by every user."""
    service = start_service()

    finished, verdict = run(service.url, "BoundaryUser")

    # The fake says too little of its model.
    assert finished.returncode == 3
    assert "does not describe a model" in verdict["sentence"]
