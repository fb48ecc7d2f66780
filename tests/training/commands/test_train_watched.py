"""``python -m training train`` as a process: its metrics, a port in use, and folders that cannot be written."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from app.model.bundle import find_problems
from app.model.store.store import ModelStore
from training.__main__ import main

ROOT = Path(__file__).parents[3]

# So many trees that fitting is always interrupted.
ENDLESS = ["--estimators", "1000000"]


@pytest.fixture
def train_csv(write_csv: Callable[..., Path]) -> Path:
    """Return a file of 300 rows."""
    rows = np.random.default_rng(1).normal(size=(300, 2)).tolist()
    return write_csv("mean,sd\n" + "".join(f"{mean},{sd}\n" for mean, sd in rows), "train.csv")


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_training(*options: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """Start a training, and end it if it is still running."""
    # A shell starts background jobs with SIGINT ignored, which children inherit; an explicit handler restores it.
    own_handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "train", *options],
        cwd=ROOT,
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, own_handler)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], text: str) -> list[str]:
    """Read the output of a training until a line contains this text."""
    assert process.stderr is not None
    lines: list[str] = []
    while not lines or text not in lines[-1]:
        line = process.stderr.readline()
        assert line, f"the training ended with the output {lines}"
        lines.append(line)
    return lines


def scrape(port: int) -> dict[str, float]:
    """Read the metrics; return samples by name and label values."""
    with requests.Session() as session:
        session.trust_env = False
        text = session.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_follow_the_number_of_trees(train_csv, tmp_path):
    """Between two scrapes the number of trees and the time of the last progress increase."""
    port = free_port()
    options = ["--train", str(train_csv), "--models", str(tmp_path / "models"), "--metrics-port", str(port)]
    # Batches of 500 trees: slow enough to be scraped in between, fast enough for a test.
    with running_training(*options, "--estimators", "10000") as process:
        wait_for(process, "Fitting")
        first = scrape(port)
        deadline = time.monotonic() + 60
        while (later := scrape(port))["training_trees_total"] <= first["training_trees_total"]:
            assert time.monotonic() < deadline

        assert first["training_rows"] == 300
        assert first["training_stage/fitting"] == later["training_stage/fitting"] == 1
        assert later["training_progress_ratio"] == later["training_trees_total"] / 10_000
        assert first["training_runs_total/success"] == first["training_runs_total/failure"] == 0
        name = "training_last_progress_timestamp_seconds"
        assert first[name] < later[name]


def test_metrics_are_held_after_the_end(train_csv, tmp_path):
    """A training of one second can be scraped until Ctrl-C; the exit status is still 0."""
    port, models, workers = free_port(), tmp_path / "models", tmp_path / "workers"
    workers.mkdir()
    options = ["--train", str(train_csv), "--test", str(train_csv), "--models", str(models), "--estimators", "7"]
    hold = ["--metrics-port", str(port), "--metrics-hold", "600"]
    with running_training(*options, *hold, PROMETHEUS_MULTIPROC_DIR=str(workers)) as process:
        wait_for(process, "Metrics stay on")
        metrics = scrape(port)
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate()

    assert (process.returncode, errors) == (0, "")
    assert "This model is live" in shown
    assert metrics["training_runs_total/success"] == 1
    assert metrics["training_trees_total"] == metrics["ensemble_tree_count"] == 7
    assert metrics["tree_max_depth"] == 8  # the depth limit for samples of 256 rows
    assert metrics["feature_split_share/mean"] + metrics["feature_split_share/sd"] == pytest.approx(1)
    assert metrics["training_inlier_ratio/train"] == metrics["training_inlier_ratio/test"] > 0.5
    assert all(metrics[f"training_duration_seconds/{stage}"] > 0 for stage in ("reading", "fitting", "evaluating"))
    assert metrics["training_memory_usage_bytes"] > 10_000_000
    # A metrics folder of a service's workers that is inherited by accident is not written to.
    assert list(workers.iterdir()) == []


def test_failed_training_is_visible_in_its_metrics(write_csv, tmp_path):
    """Standard error has the reason before the metrics are held."""
    port = free_port()
    options = ["--train", str(write_csv("a,b\n1,x\n2,3\n")), "--models", str(tmp_path / "models")]
    with running_training(*options, "--metrics-port", str(port), "--metrics-hold", "600") as process:
        lines = wait_for(process, "Metrics stay on")
        metrics = scrape(port)
        process.send_signal(signal.SIGTERM)
        process.communicate()

    assert process.returncode == 2
    assert "line 2, column b: 'x' is not a number" in lines[-2]
    assert metrics["training_runs_total/failure"] == 1
    assert metrics["training_runs_total/success"] == 0
    assert "training_last_success_timestamp_seconds" not in metrics


def test_port_in_use_is_refused(train_csv, tmp_path, capsys):
    """In one line, before anything is read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        models = tmp_path / "models"
        status = main(["train", "--train", str(train_csv), "--models", str(models), "--metrics-port", port])

    assert status == 2
    assert capsys.readouterr().err == (
        f"training: --metrics-port {port}: 127.0.0.1:{port} cannot be listened on (Address already in use); "
        "name another port, or 0 for no metrics.\n"
    )
    assert not models.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metrics-port", "65536"], "'65536' is not a port; use 1 to 65535, or 0 for no metrics"),
        (["--metrics-port", "-1"], "'-1' is not a port"),
        (["--metrics-hold", "-1"], "'-1' is not a time in seconds"),
        (["--metrics-hold", "nan"], "'nan' is not a time in seconds"),
        (["--metrics-hold", "for ever"], "'for ever' is not a time in seconds"),
    ],
)
def test_invalid_port_or_time_is_refused(capsys, options, message):
    """With exit status 2 and one line."""
    with pytest.raises(SystemExit) as end:
        main(["train", "--train", "x.csv", *options])

    shown = capsys.readouterr().err
    assert (end.value.code, shown.count("\n")) == (2, 1)
    assert message in shown


def test_environment_sets_the_default_port(monkeypatch, tmp_path, train_csv, capsys):
    """As in containers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        monkeypatch.setenv("TRAINING_METRICS_PORT", port)

        assert main(["train", "--train", str(train_csv), "--models", str(tmp_path / "models")]) == 2

    assert f"--metrics-port {port}" in capsys.readouterr().err


def test_training_goes_on_without_a_port_that_nobody_chose(monkeypatch, tmp_path, train_csv, capsys):
    """The default port may be taken by another training."""
    monkeypatch.delenv("TRAINING_METRICS_PORT", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr("training.metrics.publication.DEFAULT_PORT", port)

        assert (
            main(["train", "--train", str(train_csv), "--models", str(tmp_path / "models"), "--estimators", "5"]) == 0
        )

    assert f"training: 127.0.0.1:{port} cannot be listened on (Address already in use)" in capsys.readouterr().err


def test_ctrl_c_leaves_the_models_unchanged(train_csv, tmp_path):
    """Also while metrics are served: no thread keeps the process alive, and nothing is half written."""
    models = tmp_path / "models"
    options = ["--train", str(train_csv), "--models", str(models)]
    assert main(["train", *options, "--estimators", "5"]) == 0
    before = snapshot(models)
    port = free_port()
    with running_training(*options, *ENDLESS, "--metrics-port", str(port), "--metrics-hold", "600") as process:
        wait_for(process, "Fitting")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()

    assert (process.returncode, errors) == (130, "training: interrupted; nothing was changed.\n")
    assert snapshot(models) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a separate file system with room for little more than one bundle."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small disk of this test")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this machine lets nobody mount a small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def snapshot(folder: Path) -> dict[str, str | bytes]:
    """Return the content of every file and the target of every link below a folder, hidden ones included."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize(
    "room",
    [pytest.param(0, marks=pytest.mark.long), 4_096, pytest.param(20_000, marks=pytest.mark.long), 100_000],
)
def test_full_disk_leaves_the_models_unchanged(train_csv, small_disk, capsys, room):
    """Wherever writing fails: one clear line, exit status 1, and the same live version."""
    models = small_disk / "models"
    options = ["--train", str(train_csv), "--models", str(models)]
    assert main(["train", *options, "--estimators", "5"]) == 0
    before = snapshot(models)
    fill(small_disk, room)
    capsys.readouterr()

    # Its forest alone is larger than the largest free space.
    status = main(["train", *options, "--estimators", "300", "--promote"])

    assert status == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"training: {models} cannot be written (No space left on device); "
        "make room or correct the permissions, or name another folder with --models."
    )
    assert snapshot(models) == before
    assert find_problems(models / "current") == []


@pytest.mark.parametrize("command", ["promote", pytest.param("rollback", marks=pytest.mark.long)])
def test_full_disk_keeps_the_live_version(train_csv, small_disk, capsys, command):
    """Either the link has moved and the promotion is recorded, or neither."""
    models = small_disk / "models"
    for seed in ("1", "2"):
        options = ["--train", str(train_csv), "--models", str(models), "--estimators", "5", "--seed", seed]
        assert main(["train", *options, "--promote"]) == 0
    first = ModelStore(models).versions()[0]
    before = snapshot(models)
    fill(small_disk, 0)
    capsys.readouterr()

    status = main([command, *([first] if command == "promote" else []), "--models", str(models)])

    assert status == 1
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert snapshot(models) == before


@pytest.mark.parametrize(
    "command", ["train", "promote", *(pytest.param(name, marks=pytest.mark.long) for name in ("rollback", "prune"))]
)
def test_read_only_folder_is_unchanged(train_csv, small_disk, capsys, command):
    """On a read-only file system: one clear line and exit status 1."""
    models = small_disk / "models"
    for seed in ("1", "2"):
        options = ["--train", str(train_csv), "--models", str(models), "--estimators", "5"]
        assert main(["train", *options, "--seed", seed, "--promote"]) == 0
    first = ModelStore(models).versions()[0]
    before = snapshot(models)
    capsys.readouterr()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    arguments = {"train": options[:2], "promote": [first], "rollback": [], "prune": ["--keep", "1"]}[command]
    status = main([command, *arguments, "--models", str(models)])

    assert status == 1
    assert f"{models} cannot be written (Read-only file system)" in capsys.readouterr().err.splitlines()[-1]
    assert snapshot(models) == before


def fill(disk: Path, room: int) -> None:
    """Write a file until only this many bytes are free."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filling").write_bytes(bytes(free - room))
