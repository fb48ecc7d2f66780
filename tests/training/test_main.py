"""The command line: every error is one line with the right exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import InvalidBundle, InvalidForest, ModelsNotWritable
from training.__main__ import main
from training.bundle.write import write_bundle
from training.commands import versions
from training.errors import BadArgument, BadData

ROOT = Path(__file__).parents[2]

# Loading these takes a second or more, too long for a list of options.
HEAVY = {"sklearn", "pandas", "joblib", "scipy", "plotly", "matplotlib"}

VERSION_COMMANDS = ("models", "promote", "rollback", "prune", "verify")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *(
            [command, "--help"]
            for command in (*("explore", "train", "import", "threshold", "sign", "score", "drift"), *VERSION_COMMANDS)
        ),
    ],
)
def test_help_is_printed(arguments, capsys):
    """Of the program and of each command."""
    with pytest.raises(SystemExit) as end:
        main(arguments)

    assert end.value.code == 0
    assert "usage: python -m training" in capsys.readouterr().out


def test_help_does_not_load_the_training_libraries():
    """It is printed at once."""
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "training", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = {line.rsplit("|", 1)[-1].strip() for line in shown.stderr.splitlines()}
    assert "training.commands.train" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["train"], "required: --train"),
        (["train", "--train", "x.csv", "--contamination", "much"], "invalid number or auto value: 'much'"),
        (["train", "--train", "x.csv", "--max-samples", "0.5"], "invalid whole number or auto value: '0.5'"),
        (["train", "--train", "x.csv", "--estimators", "ten"], "invalid whole number or auto value: 'ten'"),
        (["train", "--train", "x.csv", "--features", "a", "--drop", "b"], "not allowed with"),
        (["train", "--train", "x.csv", "--drop", "a,,b"], "'a,,b' is not a list of column names"),
        (["train", "--train", "x.csv", "--name", "my model"], "'my model' is not a model name"),
        (["train", "--train", "x.csv", "--cont", "0.1"], "unrecognized arguments"),
        (["drift", "--min-effect", "1"], "'1' is not a distance; use a number from 0 to below 1"),
        (["drift", "--min-effect", "much"], "'much' is not a distance"),
        (["drift", "--rows-per-second", "0"], "'0' is not a number above 0"),
        (["drift", "--false-alarm-days", "inf"], "'inf' is not a number above 0"),
        (["promote"], "required: VERSION"),
        (["prune"], "required: --keep"),
        (["prune", "--keep", "-1"], "-1 is not a number of versions; use 0 or more"),
        (["prune", "--keep", "few"], "invalid whole number value: 'few'"),
    ],
)
def test_mistyped_argument_is_refused_in_one_line(arguments, message, capsys):
    """It says what is wrong and how to list the options, with exit status 2."""
    with pytest.raises(SystemExit) as end:
        main(arguments)

    shown = capsys.readouterr().err
    assert end.value.code == 2
    assert message in shown
    assert shown.startswith("training: ")
    assert shown.endswith("--help.\n")
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (BadArgument("--seed x."), 2, "training: --seed x.\n"),
        (BadData("x.csv\nline 3."), 2, "training: x.csv line 3.\n"),
        (ModelsNotWritable("models."), 1, "training: models.\n"),
        (InvalidForest("A tree."), 1, "training: A tree.\n"),
        (InvalidBundle("A bundle."), 1, "training: A bundle.\n"),
        (KeyboardInterrupt(), 130, "training: interrupted; nothing was changed.\n"),
        (KeyboardInterrupt("half way."), 130, "training: half way.\n"),
    ],
)
def test_refusal_is_one_line_and_an_exit_status(error, status, shown, monkeypatch, capsys):
    """Whichever error the command raises."""

    def refuse(options: object) -> int:
        raise error

    monkeypatch.setattr(versions, "verify", refuse)

    assert main(["verify"]) == status
    assert capsys.readouterr().err == shown


def test_names_that_the_console_cannot_print_are_escaped(small_model, tmp_path):
    """No traceback follows what has been done already."""
    training = replace(small_model.training, names=("\u5e73\u5747", "sd"))
    write_bundle(tmp_path, replace(small_model, training=training, name="\u5e73"))

    printed = subprocess.run(
        [sys.executable, "-m", "training", "verify", "--models", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
        capture_output=True,
        check=True,
    )

    assert rb"\u5e73" in printed.stdout
    assert printed.stderr == b""
