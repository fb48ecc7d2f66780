"""``python -m training drift``: compare two files, or replay one."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from app.drift.detector import plan_confirmation
from training.__main__ import main


def write_rows(path, rows, header="mean,sd"):
    """Write a CSV file."""
    np.savetxt(path, rows, delimiter=",", header=header, comments="", fmt="%.17g")
    return path


@pytest.fixture
def compare(tmp_path, capsys):
    """Compare normal rows with shifted ones; return the exit status and the output."""

    def run(shift, *options):
        reference, current = np.random.default_rng(1).normal(size=(2, 500, 2))
        files = [
            *("--reference", str(write_rows(tmp_path / "ref.csv", reference))),
            *("--current", str(write_rows(tmp_path / "now.csv", current + np.array([shift, 0])))),
        ]
        status = main(["drift", *files, "--out", str(tmp_path / "reports"), *options])
        return status, capsys.readouterr()

    return run


def test_unchanged_file_exits_with_0(compare, tmp_path):
    """The table and the path of the page are on standard output, the stages on standard error."""
    status, shown = compare(0)

    assert status == 0
    header, first, second, _, verdict, *_, page = shown.out.splitlines()
    assert header.startswith("feature  KS distance")
    assert {first.split()[0], second.split()[0]} == {"mean", "sd"}
    assert verdict == "The rows show no significant change, neither in a feature nor as a whole."
    assert page == str(tmp_path / "reports" / "drift.html")
    assert "now.csv against ref.csv" in (tmp_path / "reports" / "drift.html").read_text()
    assert shown.err.splitlines() == [f"Reading {tmp_path / 'ref.csv'} and {tmp_path / 'now.csv'} ...", "Comparing ..."]


def test_changed_file_exits_with_3(compare):
    """Scripts can tell it from a failure; the output starts with the changed feature."""
    status, shown = compare(1)

    assert status == 3
    assert shown.out.splitlines()[1].startswith("mean ")
    assert "The rows changed: 1 of 2 features by more than a KS distance of 0.1: mean (0." in shown.out


def test_change_below_the_minimum_effect_exits_with_0(compare):
    """However small its p-value is."""
    assert compare(1, "--min-effect", "0.1")[0] == 3
    status, shown = compare(1, "--min-effect", "0.9")

    assert status == 0
    assert (
        "The rows changed little: 1 feature, none by more than a KS distance of 0.9, and whole rows differ" in shown.out
    )


def test_dropped_columns_are_not_compared(compare):
    """Only the chosen columns are compared."""
    for options in (["--drop", "mean"], ["--features", "sd"]):
        status, shown = compare(9, *options)

        assert status == 0
        assert "\nmean" not in shown.out


def test_page_is_written_to_reports_by_default(write_csv, tmp_path, monkeypatch):
    """In the working directory."""
    monkeypatch.chdir(tmp_path)
    rows = str(write_rows(tmp_path / "rows.csv", np.arange(60).reshape(30, 2)))

    assert main(["drift", "--reference", rows, "--current", rows]) == 0

    assert (tmp_path / "reports" / "drift.html").is_file()


@pytest.mark.parametrize(
    ("options", "message", "status"),
    [
        ([], "takes either --reference FILE and --current FILE, or --replay FILE", 2),
        (["--reference", "rows.csv"], "takes either", 2),
        (["--reference", "rows.csv", "--current", "rows.csv", "--replay", "rows.csv"], "takes either", 2),
        (
            ["--reference", "rows.csv", "--current", "rows.csv"],
            "rows.csv has 1 row, too few to distinguish a change",
            2,
        ),
        (["--reference", "rows.csv", "--current", "none.csv"], "none.csv does not exist", 2),
        (["--replay", "rows.csv"], "does not exist: train a model", 1),
        (["--replay", "rows.csv", "--version", "1"], "models has no version 1", 2),
    ],
)
def test_bad_files_and_options_are_refused_in_one_line(
    options, message, status, write_csv, tmp_path, monkeypatch, capsys
):
    """And no page is written."""
    source = write_csv("mean,sd\n1,2\n")
    monkeypatch.chdir(tmp_path)

    assert main(["drift", *options, *(["--models", "models"] if "--replay" in options else [])]) == status

    assert message in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == [source]


@pytest.fixture
def stream(training_csv, tmp_path):
    """Return rows of credit spending that shift after 500 rows."""
    rows = np.loadtxt(training_csv, delimiter=",", skiprows=1, max_rows=20_000)
    rows = np.random.default_rng(1).choice(rows, 1000)
    rows[500:] += 3
    # Columns are matched by name.
    return write_rows(tmp_path / "stream.csv", rows[:, ::-1], header="sd,mean")


def test_file_is_replayed_through_the_live_detectors(credits_models, stream, tmp_path, capsys):
    """The exit status is 0 whatever they find, because a replay is informational."""
    options = ["--models", str(credits_models), "--out", str(tmp_path / "reports")]

    assert main(["drift", "--replay", str(stream), *options]) == 0

    shown = capsys.readouterr()
    _, mmd, *_, page = shown.out.splitlines()
    assert mmd.split()[4] == "1"
    assert 500 < int(mmd.split()[5]) < 700
    assert page == str(tmp_path / "reports" / "drift_replay.html")
    assert (credits_models / "current").readlink().name in (tmp_path / "reports" / "drift_replay.html").read_text()
    assert shown.err.splitlines() == [f"Reading {stream} ...", "Replaying 1,000 rows ..."]


def test_version_and_false_alarm_promise_can_be_chosen(credits_models, stream, tmp_path, monkeypatch, capsys):
    """The service's setting in the environment applies unless an option overrides it."""
    models = tmp_path / "models"
    shutil.copytree(credits_models, models, symlinks=True)
    version = (models / "current").readlink().name
    (models / "current").unlink()
    page = tmp_path / "reports" / "drift_replay.html"
    options = [
        "drift",
        "--replay",
        str(stream),
        "--models",
        str(models),
        "--version",
        version,
        "--out",
        str(page.parent),
    ]

    assert main([*options, "--rows-per-second", "0.001", "--false-alarm-days", "1"]) == 0
    assert "an event if the next window, which has no row" in page.read_text()
    monkeypatch.setenv("DRIFT_FALSE_ALARM_DAYS", "300")
    assert main(options) == 0
    n_windows = plan_confirmation(300, rows_per_second=100, false_alarm_days=300, n_detectors=4).n_windows
    assert f"an event if each of the next {n_windows} windows, which have no row" in page.read_text()
    monkeypatch.setenv("DRIFT_ROWS_PER_SECOND", "many")
    with pytest.raises(SystemExit):
        main(options)
    assert "'many' is not a number above 0" in capsys.readouterr().err


def test_model_without_detectors_is_refused(training_csv, stream, tmp_path, capsys):
    """The message says how to get detectors."""
    models = str(tmp_path / "models")
    assert main(["train", "--train", str(training_csv), "--models", models, "--no-drift", "--estimators", "5"]) == 0

    assert main(["drift", "--replay", str(stream), "--models", models]) == 1

    assert "drift is not monitored: to monitor it, train" in capsys.readouterr().err
