"""``python -m training explore``: write a page about CSV files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.__main__ import main

ROOT = Path(__file__).parents[3]


def test_page_is_written_and_its_path_printed(write_csv, tmp_path, capsys):
    """The stages are on standard error, the path on standard output."""
    train, test = write_csv("id,mean,sd\nx,1,2\ny,3,4\n", "train.csv"), write_csv("sd,mean\n5,6\n", "test.csv")

    options = ["--train", str(train), "--test", str(test), "--drop", "id", "--out", str(tmp_path / "reports")]
    assert main(["explore", *options]) == 0

    shown = capsys.readouterr()
    assert shown.out == f"{tmp_path / 'reports' / 'exploration.html'}\n"
    assert shown.err.splitlines() == [f"Reading {train} ...", "Drawing ..."]
    assert "2 rows, 2 features" in (tmp_path / "reports" / "exploration.html").read_text()


def test_page_is_written_to_reports_by_default(write_csv, tmp_path, monkeypatch):
    """In the working directory."""
    monkeypatch.chdir(tmp_path)

    assert main(["explore", "--train", str(write_csv("mean\n1\n2\n"))]) == 0

    assert (tmp_path / "reports" / "exploration.html").is_file()


@pytest.mark.parametrize(
    ("content", "options", "message", "status"),
    [
        ("mean,sd\n1,x\n2,3\n", [], "rows.csv line 2, column sd: 'x' is not a number", 2),
        ("mean\n1\n", [], "rows.csv has only 1 row", 2),
        ("mean\n1\n2\n", ["--drop", "sd"], "--drop: ", 2),
        ("mean\n1\n2\n", ["--test", "none.csv"], "none.csv does not exist", 2),
        ("mean\n1\n2\n", ["--out", "/proc/reports"], "/proc/reports cannot be made", 1),
    ],
)
def test_bad_files_and_options_are_refused_in_one_line(
    content, options, message, status, write_csv, tmp_path, monkeypatch, capsys
):
    """And no page is written."""
    source = write_csv(content)
    monkeypatch.chdir(tmp_path)

    assert main(["explore", "--train", str(source), *options]) == status

    assert message in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.long
def test_million_rows_need_little_memory(tmp_path):
    """A million rows of ten features need less than 2 GB, and the page is smaller than 15 MB."""
    rows = np.random.default_rng(1).standard_t(3, size=(1_000_000, 10))
    pd.DataFrame(rows).add_prefix("f").to_csv(tmp_path / "rows.csv", index=False)
    command = [
        sys.executable,
        "-m",
        "training",
        "explore",
        "--train",
        str(tmp_path / "rows.csv"),
        "--out",
        str(tmp_path),
    ]

    pid = os.posix_spawn(sys.executable, command, os.environ | {"PYTHONPATH": str(ROOT)})
    _, status, usage = os.wait4(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    # Linux reports units of 1024 bytes.
    assert usage.ru_maxrss * 1024 < 2e9
    assert (tmp_path / "exploration.html").stat().st_size < 15e6
