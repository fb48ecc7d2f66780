"""``python -m training train``: train a live model from a CSV file."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.model.bundle import read_bundle
from training.__main__ import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def train_csv(write_csv: Callable[..., Path]) -> Path:
    """Return a file of 300 rows with a column that is not a feature."""
    rows = np.random.default_rng(1).normal(size=(300, 2)).tolist()
    return write_csv("day,mean,sd\n" + "".join(f"monday,{mean},{sd}\n" for mean, sd in rows), "train.csv")


def test_model_is_trained_and_summarized(train_csv, write_csv, tmp_path, capsys):
    """The options reach the estimator; stages are on standard error, figures on standard output."""
    test_csv = write_csv("mean,sd\n0,0\n50,50\n", "test.csv")
    models = tmp_path / "models"

    files = ["--train", str(train_csv), "--test", str(test_csv), "--models", str(models)]
    growth = "--contamination 0.1 --estimators 7 --max-samples 64 --max-features 0.5 --bootstrap --seed 3"

    status = main(["train", *files, *growth.split(), "--drop", "day", "--name", "credits-2"])

    bundle = read_bundle(models / "current")
    assert status == 0
    assert (bundle.name, bundle.features.names) == ("credits-2", ("mean", "sd"))
    assert bundle.manifest["parameters"] == {
        "bootstrap": True,
        "contamination": 0.1,
        "max_features": 0.5,
        "max_samples": 64,
        "n_estimators": 7,
        "n_jobs": None,
        "random_state": 3,
        "verbose": 0,
        "warm_start": False,
    }
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [f"Reading {train_csv} ...", "Fitting 7 trees ...", "Evaluating and writing ..."]
    table = dict(line.split("  ", 1) for line in shown.out.split("\n\n")[0].splitlines())
    values = {label.strip(): value.strip() for label, value in table.items()}
    assert values["model"] == f"credits-2 {bundle.version}"
    assert values["rows"] == "300"
    assert values["features"] == "2: mean, sd"
    assert values["trees"] == "7"
    assert values["drift"] == "not monitored: calibration needs at least 4,000 training rows"
    assert values["flagged, training"] == "30 of 300 (10.000%)"
    assert values["flagged, test"].endswith(" of 2 (50.000%)")
    assert re.fullmatch(
        r"[\d.]+ \(reading [\d.]+, fitting [\d.]+, evaluating [\d.]+, writing [\d.]+\)", values["seconds"]
    )
    assert values["folder"] == str(models / bundle.version)
    assert Path(values["report"]).is_file()
    assert (
        "30 of 300 training rows, 10.0%, would be alarms; at 1,000 rows an hour that is 100 alarms an hour."
        in shown.out
    )
    assert f"python -m training threshold --contamination SHARE --models {models}" in shown.out
    assert "This model is live" in shown.out


def test_model_is_evaluated_with_labels(train_csv, write_csv, tmp_path, capsys):
    """With the labels of the files that have some; the manifest and the summary have the figures."""
    test_csv = write_csv("fraud,mean,sd\n" + "0,0,0\n" * 8 + "1,50,50\n" * 2, "test.csv")
    models = tmp_path / "models"

    files = ["--train", str(train_csv), "--test", str(test_csv), "--models", str(models)]
    assert main(["train", *files, "--drop", "day", "--label", "fraud", "--contamination", "0.01"]) == 0

    bundle = read_bundle(models / "current")
    assert bundle.features.names == ("mean", "sd")
    assert "labels" not in bundle.manifest["evaluation"]["train"]
    figures = bundle.manifest["evaluation"]["test"]["labels"]
    assert figures.pop("outliers") == 2
    assert set(figures.values()) == {1.0}
    shown = capsys.readouterr().out
    assert "ROC AUC, test      1.0000 (average precision 1.0000)" in shown
    assert "ROC AUC, training" not in shown


def test_defaults_match_the_documentation(train_csv, tmp_path, monkeypatch):
    """Contamination auto, 100 trees, seed 16 and the name isowatch; MODEL_DIR sets the folder."""
    monkeypatch.setenv("MODEL_DIR", str(tmp_path / "elsewhere"))

    assert main(["train", "--train", str(train_csv), "--features", "sd,mean"]) == 0

    bundle = read_bundle(tmp_path / "elsewhere" / "current")
    parameters = bundle.manifest["parameters"]
    assert bundle.name == "isowatch"
    assert bundle.features.names == ("sd", "mean")
    assert bundle.manifest["offset_"] == -0.5
    assert [parameters[name] for name in ("contamination", "n_estimators", "max_samples", "random_state")] == [
        "auto",
        100,
        "auto",
        16,
    ]


@pytest.mark.parametrize(
    ("options", "drift"),
    [
        (
            ["--drift-ert", "100", "--drift-window", "10"],
            "monitored in windows of 10 rows; without drift, a detector signals once every 100 rows",
        ),
        (["--no-drift"], "not monitored, as requested"),
    ],
)
def test_drift_options_are_applied(write_csv, tmp_path, capsys, options, drift):
    """The summary has the expected run time, or says that there are no detectors."""
    rows = np.random.default_rng(1).normal(size=(4000, 2)).tolist()
    file = write_csv("mean,sd\n" + "".join(f"{mean},{sd}\n" for mean, sd in rows))
    models = tmp_path / "models"

    assert main(["train", "--train", str(file), "--models", str(models), "--estimators", "5", *options]) == 0

    shown = capsys.readouterr()
    assert drift in shown.out
    assert ("drift.npz" in read_bundle(models / "current").manifest["files"]) == ("--no-drift" not in options)
    assert ("Calibrating drift detectors ..." in shown.err) == ("--no-drift" not in options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--drop", "day", "--category", "sdev"], "--category: "),
        (["--drop", "date"], "--drop: "),
        (["--drop", "day", "--contamination", "0.6"], "--contamination 0.6 is out of range"),
        (["--drop", "day", "--label", "fraud"], "train.csv has no column fraud; name an existing column"),
        (["--label", "day"], "line 2, column day: 'monday' is not a number"),
        (["--drop", "day", "--label", "sd"], " is not a label; write 0 for inliers and 1 for outliers"),
        (["--drop", "day", "--drift-ert", "10"], "--drift-ert 10 is out of range; use 100 to 50000 rows"),
        (["--drop", "day", "--max-samples", "301"], "--max-samples 301 is more than the 300 training rows"),
    ],
)
def test_bad_data_and_arguments_change_nothing(train_csv, tmp_path, capsys, options, message):
    """Exit status 2, one clear line, and no models folder."""
    models = tmp_path / "models"

    assert main(["train", "--train", str(train_csv), "--models", str(models), *options]) == 2

    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not models.exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_while_fitting_leaves_nothing(train_csv, tmp_path, number, status):
    """Ctrl-C and `docker stop` end the training without a traceback."""
    models = tmp_path / "models"
    # So many trees that fitting is always interrupted.
    options = ["--train", str(train_csv), "--drop", "day", "--estimators", "1000000", "--models", str(models)]
    # A shell starts background jobs with SIGINT ignored, which children inherit; an explicit handler restores it.
    own_handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    training = subprocess.Popen(
        [sys.executable, "-m", "training", "train", *options], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, own_handler)
    try:
        assert training.stderr is not None
        while "Fitting" not in (line := training.stderr.readline()):
            assert line, "the training ended before the signal"
        training.send_signal(number)
        _, rest = training.communicate()
    finally:
        training.kill()

    assert training.returncode == status
    assert "Traceback" not in rest
    assert not models.exists()


def test_later_training_goes_live_only_when_asked(train_csv, write_csv, tmp_path, capsys):
    """It ends with the command that promotes it, which other columns make refuse without --replace."""
    models = tmp_path / "models"
    options = ["--train", str(train_csv), "--drop", "day", "--estimators", "5", "--metrics-port", "0"]
    train = ["train", *options, "--models", str(models)]
    assert main(train) == 0
    first = (models / "current").readlink().name

    capsys.readouterr()
    assert main([*train, "--seed", "3"]) == 0
    shown = capsys.readouterr().out
    promote = shown.splitlines()[-1].removeprefix("python -m training ").split()
    assert "This model is not live: another version is live, and --promote was not given." in shown
    assert (models / "current").readlink().name == first
    assert main(promote) == 0
    assert (models / "current").readlink().name == promote[1] != first

    capsys.readouterr()
    assert main([*train, "--drop", "day,mean", "--promote"]) == 3
    shown = capsys.readouterr().out
    assert "the column mean is gone; to promote it nevertheless, add --replace." in shown
    assert " --replace --models " in shown.splitlines()[-1]
    assert (models / "current").readlink().name == promote[1]
    assert main(shown.splitlines()[-1].removeprefix("python -m training ").split()) == 0
    assert "flagged) replaces " in capsys.readouterr().out


def test_training_without_variety_is_not_live(write_csv, tmp_path, capsys):
    """Equal rows teach nothing; the last line has the option that consents."""
    models = tmp_path / "models"
    file = write_csv("mean,sd\n" + "1,2\n" * 200)

    assert main(["train", "--train", str(file), "--models", str(models), "--estimators", "5"]) == 0

    shown = capsys.readouterr().out
    assert "only 1 of its training rows differ, at least 100 are needed; all its training rows have the same" in shown
    assert " --force --models " in shown.splitlines()[-1]
    assert not (models / "current").exists()
