"""The threshold of all rows is found in two passes, with one sample of them trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.model.bundle import read_bundle
from app.model.forest import OUTLIER
from training.__main__ import main
from training.data import columnar
from training.data.choices import SampleOptions
from training.data.dataset import Dataset, read_training_data
from training.data.source import GUESS
from training.errors import BadData
from training.fitting.compile import compile_forest
from training.fitting.exact_threshold import find_exact_threshold
from training.fitting.fit import ForestParameters, fit


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of 6,000 rows, of which many have equal scores, with a category."""
    generator = np.random.default_rng(2)
    rows = pd.DataFrame({"x": generator.normal(size=6000).round(1), "place": generator.choice(["a", "b"], 6000)})
    rows.to_parquet(path := tmp_path_factory.mktemp("rows") / "rows.parquet")
    return path


@pytest.fixture(scope="module")
def drawn(table: Path) -> Dataset:
    """Return 500 of the rows."""
    return read_training_data(table, sampling=SampleOptions(500, 3))


@pytest.mark.parametrize("contamination", [1e-6, 0.00051, 0.01, 1 / 3, 0.5])
def test_threshold_is_the_percentile_of_all_scores(
    table: Path, drawn: Dataset, contamination: float, monkeypatch: pytest.MonkeyPatch
):
    """To the last bit, whatever the blocks."""
    monkeypatch.setattr(columnar, "_PART_ROWS", 700)
    estimator = fit(drawn.matrix, ForestParameters(contamination=contamination, n_estimators=10))
    every = read_training_data(table)
    # The levels of the sample have their own numbers.
    rows = np.column_stack([every.column("x"), every.column("place")])
    if every.levels["place"] != drawn.levels["place"]:
        rows[:, 1] = 1 - rows[:, 1]
    scores = compile_forest(estimator, encoding=drawn.encoding).score(rows)

    exact = find_exact_threshold(estimator, drawn, GUESS)

    expected = np.percentile(scores, 100.0 * contamination)
    assert exact.score == expected == estimator.offset_
    assert (exact.n_rows, exact.n_flagged) == (6000, int((scores < expected).sum()))
    forest = compile_forest(estimator, drawn.matrix, drawn.encoding, exact.sums)
    assert np.array_equal(forest.score_and_label(rows)[1] == OUTLIER, scores < expected)


def test_table_that_changed_is_refused(table: Path, drawn: Dataset, tmp_path: Path):
    """The threshold would be that of other rows."""
    estimator = fit(drawn.matrix, ForestParameters(contamination=0.1, n_estimators=2))
    pd.read_parquet(table).iloc[:5000].to_parquet(other := tmp_path / "rows.parquet")
    assert drawn.origins is not None
    table.with_name("kept").write_bytes(table.read_bytes())
    table.write_bytes(other.read_bytes())
    try:
        with pytest.raises(BadData, match="changed while it was read"):
            find_exact_threshold(estimator, drawn, GUESS)
    finally:
        table.with_name("kept").replace(table)


def test_bundle_states_how_its_rows_were_drawn(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """With the share of all rows that is flagged: as a band, or exactly."""
    options = ["train", "--train", str(table), "--models", str(tmp_path), "--max-rows", "500", "--seed", "3"]
    growth = ["--no-drift", "--force", "--contamination", "0.02", "--estimators", "10"]

    assert main([*options, *growth]) == 0
    sample = read_bundle(tmp_path / "current").manifest["training"]["sample"]
    shown = capsys.readouterr().out
    assert main([*options, *growth, "--exact-threshold", "--promote"]) == 0

    flagged = read_bundle(tmp_path / "current").manifest["training"]["flagged_rows"] / 500
    exact = read_bundle(tmp_path / "current").manifest["training"]["sample"]
    assert {name: sample[name] for name in ("rows_seen", "rows_kept", "seed", "flagged_rows_seen")} == {
        "rows_seen": 6000,
        "rows_kept": 500,
        "seed": 3,
        "flagged_rows_seen": None,
    }
    assert "500 of 6,000 rows, drawn at random with seed 3; of all rows, " in shown
    assert sample["flagged_share_band"] > 0
    assert exact["flagged_share_band"] is None
    assert 0 < exact["flagged_rows_seen"] <= 120
    assert flagged <= 0.1
    card = (tmp_path / "current" / "model_card.md").read_text()
    assert "500 of 6,000 rows, drawn at random with seed 3; of all rows, the threshold flags " in card
    assert "the drift reference and the calibration are of the drawn rows" in card
    assert "of the drawn rows" in (tmp_path / "current" / "report.html").read_text()

    assert main(["threshold", "--score", "-0.6", "--models", str(tmp_path), "--promote", "--force"]) == 0

    moved = read_bundle(tmp_path / "current").manifest["training"]["sample"]
    assert moved == exact | {"flagged_rows_seen": None, "flagged_share_band": None}


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (["--max-rows", "1"], "'1' is not a number of rows; use 2 or more"),
        (["--exact-threshold"], "name the share with --contamination"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str], reason: str
):
    """Before anything is read."""
    try:
        status: object = main(["train", "--train", str(table), "--models", str(tmp_path), *option])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert reason in capsys.readouterr().err
