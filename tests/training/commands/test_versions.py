"""``models``, ``promote``, ``rollback`` and ``prune``: list versions, and change which one is live."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.model.bundle import read_manifest
from app.model.store.store import ModelStore
from training.__main__ import main
from training.bundle.write import write_bundle

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def written_models(small_model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write three versions once: drawing their pictures takes seconds."""
    folder = tmp_path_factory.mktemp("written") / "models"
    for _ in range(3):
        write_bundle(folder, small_model)
    return folder


@pytest.fixture
def models(written_models: Path, tmp_path: Path) -> Path:
    """Return a folder with three versions, the last of which is live."""
    shutil.copytree(written_models, tmp_path / "models", symlinks=True)
    return tmp_path / "models"


@pytest.fixture
def run(models: Path, capsys) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a command and returns exit status, standard output and standard error."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments, "--models", str(models)])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run_command


def live(models: Path) -> str:
    """Return the live version."""
    return (models / "current").readlink().name


def damage(folder: Path, file: str = "forest.npz") -> None:
    """Append a byte to a file of a bundle."""
    with (folder / file).open("ab") as opened:
        opened.write(b" ")


def test_versions_are_listed_with_the_live_one_marked(models, run):
    """From oldest to newest, with what distinguishes them."""
    status, shown, _ = run("models")

    header, *rows = (line.split() for line in shown.split("\n\n")[0].splitlines())
    versions = ModelStore(models).versions()
    assert status == 0
    assert header == ["version", "name", "trained", "(UTC)", "rows", "columns", "threshold", "flagged", "size"]
    assert [row[-9] for row in rows] == versions
    assert [row[0] == "*" for row in rows] == [False, False, True]
    threshold = f"{read_manifest(models / 'current')['threshold']['score']:.6g}"
    assert [[row[-8], *row[-6:-2]] for row in rows] == [["credits", "300", "mean,sd", threshold, "10.000%"]] * 3
    size = sum(file.stat().st_size for file in (models / "current").iterdir())
    assert rows[-1][-2:] == [f"{size / 1e6:.2f}", "MB"]
    assert all(row[-7][:10].replace("-", "") == version[:8] for row, version in zip(rows, versions, strict=True))
    assert shown.endswith("\n\n* is live.\n")


def test_broken_version_is_listed_with_the_reason(models, run):
    """All other versions are listed as usual."""
    first, second, _ = ModelStore(models).versions()
    damage(models / first, "manifest.json")
    (models / second / "manifest.json").unlink()
    status, shown, _ = run("models")

    assert status == 0
    assert [line.split()[-9:-2] for line in shown.splitlines()[1:3]] == [
        [version, *"??????"] for version in (first, second)
    ]
    assert f"{first}/manifest.json was changed after it was written" in shown
    assert f"{second}/manifest.json does not exist" in shown


def test_missing_versions_are_reported(models, run, tmp_path, capsys):
    """Without a folder, without a link, or with a link to a deleted version."""
    assert main(["models", "--models", str(tmp_path / "nowhere")]) == 0
    assert "nowhere has no versions; train one" in capsys.readouterr().out

    gone = live(models)
    shutil.rmtree(models / gone)
    assert f"the link leads to {gone}, which does not exist; move it with promote" in run("models")[1]

    (models / "current").unlink()
    assert "No version is live: there is no link" in run("models")[1]


def test_promote_and_rollback_move_the_link(models, run):
    """To another version and back."""
    first, _, third = ModelStore(models).versions()

    status, shown, _ = run("promote", first)
    assert (status, live(models)) == (0, first)
    assert shown.startswith(f"{first} (threshold ")
    assert f"flagged) replaces {third} (threshold " in shown
    assert shown.endswith(f"flagged)\n{first} is live; a running service loads it within two seconds\n")

    status, shown, _ = run("rollback")
    assert (status, live(models)) == (0, third)
    assert shown.startswith(f"{third} is live again")


def test_rollback_without_history_is_refused(models, run):
    """In one line that says what to do, with an exit status other than 0."""
    run("rollback")
    run("rollback")
    first = ModelStore(models).versions()[0]

    status, shown, refusal = run("rollback")

    assert (status, shown, live(models)) == (2, "", first)
    assert refusal == (
        f"training: {models} has no version that was live before {first} and is named credits; "
        "name one with promote VERSION.\n"
    )


@pytest.mark.parametrize("command", ["promote", "verify"])
def test_unknown_version_is_refused(models, run, command):
    """In one line that lists the existing versions."""
    before = live(models)
    status, _, refusal = run(command, "20200101T000000Z-00000000")

    assert (status, refusal.count("\n"), live(models)) == (2, 1, before)
    assert f"has no version 20200101T000000Z-00000000; it has {ModelStore(models).versions()[0]}, " in refusal


@pytest.mark.parametrize("file", ["forest.npz", "model.joblib"])
def test_damaged_version_is_not_promoted(models, run, file):
    """Neither by promotion nor by rollback, whichever file is damaged."""
    _, second, third = ModelStore(models).versions()
    damage(models / second, file)

    for command in (["promote", second], ["rollback"]):
        status, _, refusal = run(*command)
        assert (status, live(models), refusal.count("\n")) == (1, third, 1)
        assert f"{second}/{file} was changed after it was written" in refusal


def test_prune_lists_the_removed_versions(models, run):
    """The live version is kept, however old it is."""
    first, second, third = ModelStore(models).versions()
    run("promote", first)

    assert run("prune", "--keep", "1") == (0, f"removed {second}\n{models} has 2 versions left\n", "")
    assert ModelStore(models).versions() == [first, third]
    assert run("prune", "--keep", "0") == (0, f"removed {third}\n{models} has 1 version left\n", "")


def test_interrupted_prune_reports_what_it_removed(models, run, monkeypatch):
    """Removed versions are not listed as remaining."""
    *_, third = ModelStore(models).versions()
    remove: Callable[..., None] = shutil.rmtree

    def interrupt(folder: Path, **options: object) -> None:
        if folder.exists() and len(ModelStore(models).versions()) == 1:
            raise KeyboardInterrupt
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupt)
    status, shown, refusal = run("prune", "--keep", "0")

    assert (status, live(models), shown.count("removed")) == (130, third, 1)
    assert refusal == "training: interrupted after removing 2 versions.\n"


@pytest.mark.long
def test_concurrent_trainings_and_promotion_are_all_complete(models, write_csv):
    """As real processes: each waits for the others, and every version is intact at the end."""
    version = ModelStore(models).versions()[0]
    train_csv = write_csv("a,b\n" + "".join(f"{i % 7},{i % 11}\n" for i in range(200)))
    train = ["train", "--train", str(train_csv), "--estimators", "5", "--metrics-port", "0"]
    commands = [train, train, ["promote", version], ["prune", "--keep", "9"]]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "training", *command, "--models", str(models)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ,
            text=True,
        )
        for command in commands
    ]
    errors = [process.communicate()[1] for process in running]

    assert [process.returncode for process in running] == [0] * 4, errors
    assert len(ModelStore(models).versions()) == 5
    assert all(main(["verify", name, "--models", str(models)]) == 0 for name in ModelStore(models).versions())
    assert not [entry.name for entry in models.iterdir() if entry.name.startswith((".writing", ".removing"))]
