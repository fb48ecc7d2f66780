"""``python -m training explain`` and ``score --explain``: why rows of a file have their scores."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.model.bundle import read_bundle
from tests.model.format_1 import rewrite_as_format_1
from training.__main__ import main
from training.bundle.write import TrainedModel, write_bundle

Run = Callable[..., int]

FILE = (
    "note,sd,mean\n"
    + "=1+1,0.5,0.1\n" * 3
    + "late,9,0\n"
    + "late,0,-8\n"
    + "".join(f"x,{i / 50},0\n" for i in range(40))
)


@pytest.fixture
def run(small_model: TrainedModel, tmp_path: Path) -> Run:
    """Return a function that runs a command with a model of its own."""
    write_bundle(tmp_path / "models", small_model)

    def run_one(*arguments: object) -> int:
        return main([*map(str, arguments), "--models", str(tmp_path / "models")])

    return run_one


def test_scored_rows_have_explanations(run: Run, write_csv, tmp_path: Path):
    """Contributions add up to the score; texts of the file and names of columns cannot become formulas."""
    source, target = write_csv(FILE), tmp_path / "out.csv"
    assert run("score", "--explain", "--in", source, "--out", target) == 0

    lines = list(csv.DictReader(io.StringIO(target.read_text())))
    assert len(lines) == FILE.count("\n") - 1
    for line in lines:
        total = sum(float(line[f"contribution.{name}"]) for name in ("mean", "sd")) + float(line["baseline"])
        assert total == pytest.approx(math.log2(-float(line["anomaly_score"])), abs=1e-12)
        if line["is_inlier"] == "1":
            assert line["counterfactual"] == ""
            assert "counterfactual" in json.loads(line["notes"])
    assert lines[0]["note"] == "'=1+1"
    assert lines[3]["is_inlier"] == "-1"
    assert lines[3]["reasons"].startswith("sd = 9 is higher than")


def test_column_that_exists_already_is_refused(run: Run, write_csv, capsys):
    """A column of the same name may come from an earlier run."""
    source = write_csv("mean,sd,reasons\n0,0,none\n")
    assert run("score", "--explain", "--in", source, "--out", source) == 2
    assert "the column reasons exists already" in capsys.readouterr().err
    assert run("score", "--in", source, "--out", source) == 0


def test_page_shows_importance_and_the_most_abnormal_rows(run: Run, write_csv, tmp_path: Path, capsys):
    """Columns by importance; rows in the order of their scores, copies once, with reasons in words."""
    source = write_csv(FILE)
    assert run("explain", "--in", source, "--out", tmp_path / "reports") == 0
    file = tmp_path / "reports" / "explanation.html"
    assert capsys.readouterr().out == f"{file}\n"
    page = file.read_text()

    bundle = read_bundle(tmp_path / "models" / "current")
    rows = np.array(
        [[float(line["mean"]), float(line["sd"])] for line in csv.DictReader(io.StringIO(FILE))], np.float32
    )
    scores, labels = bundle.forest.score_and_label(rows)
    sizes = np.abs(bundle.explainer.contributions(rows))
    for place, name in enumerate(("mean", "sd")):
        shown = [f"{value:.5g}" for value in (sizes[labels == -1, place].mean(), sizes[:, place].mean())]
        assert re.search(rf"<th>{name}</th>\s*" + r"\s*".join(f"<td>{re.escape(text)}</td>" for text in shown), page)
    assert "<td>sd = 9 is higher than all training rows" in page
    shown_scores = [float(text) for text in re.findall(r"<td>(?:outlier|inlier)</td>\s*<td>(-0\.\d+)</td>", page)]
    assert len(shown_scores) == 20
    assert shown_scores == sorted(shown_scores)
    assert shown_scores[0] == pytest.approx(scores.min(), abs=1e-4)


@pytest.mark.parametrize("command", ["score", "explain"])
def test_model_of_format_1_says_what_to_do(run: Run, write_csv, tmp_path: Path, capsys, command: str):
    """And nothing is written."""
    rewrite_as_format_1((tmp_path / "models" / "current").resolve())
    options = ["--explain", "--out", tmp_path / "out"] if command == "score" else ["--out", tmp_path / "out"]

    assert run(command, "--in", write_csv(FILE), *options) == 1
    assert "train or import again" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
