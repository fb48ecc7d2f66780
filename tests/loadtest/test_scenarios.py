"""Every user against a real service: what is right passes, and the service sees what the user is for."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from tests.loadtest.running_locust import meeting_point, requests_counted, run_locust, statistics_file
from tests.system.running_service import REPOSITORY, start_service

pytestmark = pytest.mark.system

ALL_USERS = ("SingleRowUser", "BatchUser", "V2User", "BadInputUser", "DriftedUser", "BoundaryUser")

WAYS_TO_BE_BAD = 9


@pytest.fixture(scope="module")
def service(credits_models, tmp_path_factory):
    """Start a service whose model takes two features."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models) as running:
        yield running


@pytest.fixture(scope="module")
def rows_file(training_csv, tmp_path_factory):
    """Take the header and the first rows of the training data."""
    file = tmp_path_factory.mktemp("rows") / "rows.csv"
    file.write_text("".join(training_csv.read_text().splitlines(keepends=True)[:301]))
    return file


def run(service, *arguments, users=1, seconds=1):
    """Run a load without the page."""
    return run_locust("-H", service.address, "--headless", "-u", users, "-r", users, "-t", f"{seconds}s", *arguments)


def test_every_user_passes(service, rows_file):
    """All users together send every kind of request, and not one answer is wrong."""
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
    assert sum(name.startswith("/prediction (") for name in counted) == WAYS_TO_BE_BAD


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (["--tags", "batch"], {"/predictions"}),
        (["--tags", "v2", "batch"], {"/predictions", "/v2/models/isowatch/infer"}),
        (["V2User"], {"/v2/models/isowatch/infer"}),
        ([], {"/prediction", "/model_information"}),
    ],
    ids=["tag", "two tags", "name", "none"],
)
def test_users_are_chosen_by_tag_or_name(service, rows_file, choice, names):
    """Only the chosen ones run; without a choice it is the simplest."""
    finished = run(service, "--rows", rows_file, *statistics_file(rows_file), *choice, users=2)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert set(requests_counted(rows_file)) == names


def test_boundary_user_sends_rows_whose_score_is_at_the_threshold(service, rows_file):
    """After its search, the scores lie closer to the threshold than those of the rows that it began with."""
    threshold = service.get("/model_information").json()["model"]["threshold"]
    finished = run(service, "--rows", rows_file, "BoundaryUser", *statistics_file(rows_file))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    searched = sum(count for name, (count, _) in requests_counted(rows_file).items() if "search" in name)
    assert searched == 21  # one look around and twenty steps

    before = {name: service.metric(name) for name in ("prediction_score_magnitude_total", "predictions_scores_count")}
    finished = run(service, "--rows", rows_file, "BoundaryUser", seconds=3)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    magnitude, count = (service.metric(name) - value for name, value in before.items())

    assert abs(-magnitude / count - threshold) < 0.05


def test_drifted_user_sends_what_training_has_not_seen(service, rows_file):
    """Usual rows become outliers when they are moved far, and stay inliers when they are not moved."""

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


def test_model_of_any_width_gets_rows_without_a_file(tmp_path):
    """A model of three features is driven by rows made within their ranges."""
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
    assert "1000 rows made" in finished.stderr
    assert scored > 0
    assert named.returncode == 2


def test_workers_are_judged_together(service, rows_file, tmp_path):
    """A master and two workers end with one verdict, on exactly the requests that Locust counts."""
    finished = run(
        service,
        *("--rows", rows_file, *statistics_file(rows_file), "--json", tmp_path / "verdict.json"),
        *("--processes", 2, *meeting_point(), "--tags", "single", "v2"),
        users=4,
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["requests"] == sum(count for count, _ in requests_counted(rows_file).values())
    assert verdict["users"] == ["SingleRowUser", "V2User"]
