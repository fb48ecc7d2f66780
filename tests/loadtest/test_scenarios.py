"""Every user class against a real service: correct answers pass, and the service gets the intended requests."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from tests.loadtest.running_locust import free_master_port, requests_counted, run_locust, statistics_file
from tests.system.running_service import REPOSITORY, start_service

pytestmark = pytest.mark.system

ALL_USERS = ("SingleRowUser", "BatchUser", "V2User", "BadInputUser", "DriftedUser", "BoundaryUser")

INVALID_REQUESTS = 9


@pytest.fixture(scope="module")
def service(credits_models, tmp_path_factory):
    """Start a service whose model takes two features."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models) as running:
        yield running


@pytest.fixture(scope="module")
def rows_file(training_csv, tmp_path_factory):
    """Copy the header and the first rows of the training data."""
    file = tmp_path_factory.mktemp("rows") / "rows.csv"
    file.write_text("".join(training_csv.read_text().splitlines(keepends=True)[:301]))
    return file


def run(service, *arguments, users=1, seconds=1):
    """Run a headless load test."""
    return run_locust("-H", service.address, "--headless", "-u", users, "-r", users, "-t", f"{seconds}s", *arguments)


def test_every_user_passes(service, rows_file):
    """All users together send every kind of request, without one wrong answer."""
    finished = run(service, "--rows", rows_file, *statistics_file(rows_file), *ALL_USERS, users=6, seconds=3)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    counted = requests_counted(rows_file)
    assert {failures for _, failures in counted.values()} == {0}
    assert {name for name in counted if "(" not in name} == {
        "/prediction",
        "/predictions",
        "/v2/models/isowatch/infer",
        "/model_information",
    }
    assert sum(name.startswith("/prediction (") for name in counted) == INVALID_REQUESTS


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        pytest.param(["--tags", "batch"], {"/predictions"}, marks=pytest.mark.long),
        (["--tags", "v2", "batch"], {"/predictions", "/v2/models/isowatch/infer"}),
        (["V2User"], {"/v2/models/isowatch/infer"}),
        pytest.param([], {"/prediction", "/model_information"}, marks=pytest.mark.long),
    ],
    ids=["tag", "two tags", "name", "none"],
)
def test_users_are_selected_by_tag_or_name(service, rows_file, choice, names):
    """Only the selected users run; by default the simplest one does."""
    finished = run(service, "--rows", rows_file, *statistics_file(rows_file), *choice, users=2)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert set(requests_counted(rows_file)) == names


def test_boundary_user_sends_rows_whose_score_is_at_the_threshold(service, rows_file):
    """After the search, scores are close to the threshold."""
    threshold = service.get("/model_information").json()["model"]["threshold"]
    finished = run(service, "--rows", rows_file, "BoundaryUser", *statistics_file(rows_file))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    searched = sum(count for name, (count, _) in requests_counted(rows_file).items() if "search" in name)
    assert searched == 21  # one request for the candidates and twenty steps

    before = {name: service.metric(name) for name in ("prediction_score_magnitude_total", "predictions_scores_count")}
    finished = run(service, "--rows", rows_file, "BoundaryUser", seconds=3)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    magnitude, count = (service.metric(name) - value for name, value in before.items())

    assert abs(-magnitude / count - threshold) < 0.05


@pytest.mark.long
def test_drifted_user_sends_outliers(service, rows_file):
    """Ordinary rows become outliers when shifted far, and stay inliers when not shifted."""

    def outlier_share(*options):
        counts = {name: service.metric("predicted_class_total", class_name=name) for name in ("inlier", "outlier")}
        finished = run(service, "--rows", rows_file, *options, "DriftedUser")
        assert finished.returncode == 0, finished.stdout + finished.stderr
        inliers, outliers = (
            service.metric("predicted_class_total", class_name=name) - count for name, count in counts.items()
        )
        return outliers / (inliers + outliers)

    assert outlier_share("--drift-shift", "60") > 0.9
    assert outlier_share("--drift-shift", "0", "--drift-scale", "1") < 0.5


@pytest.mark.long
def test_rows_are_generated_for_a_model_of_any_width(tmp_path):
    """A model with three features gets rows generated within its ranges."""
    generator = random.Random(3)
    table = tmp_path / "three.csv"
    table.write_text(
        "a,b,c\n" + "".join(f"{generator.random()},{generator.random()},7\n" for _ in range(300)), encoding="utf-8"
    )
    models = tmp_path / "models"
    train = [sys.executable, "-m", "training", "train", "--train", table, "--models", models]
    subprocess.run(train, cwd=REPOSITORY, check=True, capture_output=True)

    with start_service(tmp_path, models) as running:
        finished = run(running, "SingleRowUser", "BatchUser", "V2User", users=3)
        scored = running.metric("predicted_class_total")
    named = run_locust("-H", running.address, "--headless", "--rows", tmp_path / "missing.csv")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1000 rows generated" in finished.stderr
    assert scored > 0
    assert named.returncode == 2


@pytest.mark.long
def test_workers_are_evaluated_together(service, rows_file, tmp_path):
    """A master and two workers have one result, for exactly the requests that Locust counts."""
    finished = run(
        service,
        *("--rows", rows_file, *statistics_file(rows_file), "--json", tmp_path / "result.json"),
        *("--processes", 2, *free_master_port(), "--tags", "single", "v2"),
        users=4,
        seconds=4,  # the processes start one after the other
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["requests"] == sum(count for count, _ in requests_counted(rows_file).values())
    assert result["users"] == ["SingleRowUser", "V2User"]
