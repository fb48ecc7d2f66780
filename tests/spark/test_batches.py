"""Scoring Arrow batches equals ``training score``, for every kind of column; what cannot be scored is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from app.model.kernels import KernelNotBuilt
from spark.batches import BatchScorer, Options
from tests.spark.packed_model import PackedModel, make_rows
from training.__main__ import main


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of a number, a category, a truth value and times, and the rows of its training."""
    folder = tmp_path_factory.mktemp("mixed")
    random = np.random.default_rng(3)
    lines = ["amount,country,paid,at"]
    for number in range(400):
        amount = "" if number % 50 == 0 else f"{random.normal():.4f}"
        country = random.choice(["DE", "FR", "8001"])
        lines.append(
            f"{amount},{country},{random.choice(['yes', 'no'])},2026-01-{1 + number % 28:02d}T{number % 24:02d}:30"
        )
    (folder / "rows.csv").write_text("\n".join([*lines, "0.5,IT,yes,2026-02-01T10:00"]) + "\n")
    train = ("train", "--train", str(folder / "rows.csv"), "--models", str(folder / "models"))
    assert main([*train, "--time-parts", "at", "--no-drift", "--estimators", "20", "--contamination", "0.05"]) == 0
    return folder


def test_answers_are_those_of_training_score(mixed: Path, tmp_path: Path):
    """Labels, scores and unfamiliar values, to the last bit, in batches of any size."""
    rows = tmp_path / "rows.csv"
    rows.write_text((mixed / "rows.csv").read_text() + "99,8001.0,no,2026-02-02T11:00\n,ES, Yes ,2026-02-03T12:00\n")
    expected = tmp_path / "scored.parquet"
    assert main(["score", "--in", str(rows), "--out", str(expected), "--models", str(mixed / "models")]) == 0
    texts = pa.csv.ConvertOptions(column_types={"paid": pa.string(), "at": pa.string()}, strings_can_be_null=False)
    table = pa.csv.read_csv(rows, convert_options=texts)

    scorer = BatchScorer(mixed / "models" / "current", Options(unfamiliar=True))
    scored = pa.Table.from_batches([scorer(batch) for batch in table.to_batches(max_chunksize=100)])

    answers = pq.read_table(expected)
    assert scored.select(table.column_names).equals(table)
    for name in ("is_inlier", "anomaly_score"):
        assert scored[name].equals(answers[name])
    assert [text or "" for text in scored["unfamiliar"].to_pylist()] == answers["unfamiliar"].to_pylist()
    assert json.loads(scored["unfamiliar"][-2].as_py()) == {"amount": "above training range"}


def test_other_types_of_the_same_values_give_the_same_answers(mixed: Path):
    """Truth values, dictionaries, decimals and whole numbers."""
    scorer = BatchScorer(mixed / "models" / "current")
    at = ["2026-01-05T10:30"] * 2
    plain = pa.table({"amount": [1.0, 2.0], "country": ["8001", "DE"], "paid": ["yes", "no"], "at": at})
    decimals = pa.array([1.0, 2.0]).cast(pa.decimal128(4, 1))
    typed = pa.table(
        {
            "amount": decimals,
            "country": pa.array(["8001", "DE"]).dictionary_encode(),
            "paid": [True, False],
            "at": at,
        }
    )

    first, second = (scorer(table.to_batches()[0]) for table in (plain, typed))

    assert first["anomaly_score"].equals(second["anomaly_score"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mean": [0.1, float("inf")]}, "column mean has inf, which is not a number within float32"),
        ({"sd": [1e39, 0.1]}, "column sd has 1e\\+39, which is not a number within float32"),
        ({"sd": [0.1, None]}, "column sd has no value, and training had no row without one"),
    ],
)
def test_row_that_cannot_be_scored_is_named_or_left_without_answers(packed: PackedModel, changed, message):
    """By default the job ends; with ``bad_rows='null'`` the other rows are scored as ever."""
    table = pa.table({"mean": [0.1, 0.1], "sd": [0.1, 0.1], **changed})
    with pytest.raises(ValueError, match=f"{message}; correct the rows, leave them out, or pass bad_rows='null'"):
        BatchScorer(packed.folder)(table.to_batches()[0])

    scored = BatchScorer(packed.folder, Options(True, True))(table.to_batches()[0]).to_pylist()

    [place] = [n for n, row in enumerate(scored) if row["anomaly_score"] is None]
    assert (scored[place]["is_inlier"], scored[place]["unfamiliar"]) == (None, None)
    good = pa.table({"mean": [0.1], "sd": [0.1]}).to_batches()[0]
    assert scored[1 - place]["anomaly_score"] == BatchScorer(packed.folder)(good)["anomaly_score"][0].as_py()


def test_unreadable_times_and_truth_values_are_named(mixed: Path):
    """With what they have to be."""
    scorer = BatchScorer(mixed / "models" / "current")
    good = {"amount": [1.0], "country": ["DE"], "paid": ["yes"], "at": ["2026-01-05T10:30"]}
    for column, value, wanted in (
        ("paid", "maybe", "true or false"),
        ("at", "soon", "a time such as 2026-01-31T15:05"),
    ):
        with pytest.raises(ValueError, match=f"column {column} has '{value}', which is not {wanted}"):
            scorer(pa.table(good | {column: [value]}).to_batches()[0])


def test_missing_kernel_is_refused_unless_it_is_allowed(packed: PackedModel, monkeypatch: pytest.MonkeyPatch):
    """Nobody waits ten times as long without knowing why."""

    def fail(*arguments: object) -> None:
        raise KernelNotBuilt("forest_kernel.so cannot be loaded (wrong ELF class)")

    monkeypatch.setattr("spark.batches.CompiledKernel", fail)
    monkeypatch.setattr("app.model.forest.CompiledKernel", fail)
    with pytest.raises(Exception, match=r"there is no compiled kernel for this machine, Linux .*wrong ELF class"):
        BatchScorer(packed.folder)

    scored = BatchScorer(packed.folder, Options(allow_numpy=True))(make_rows(100).to_batches()[0])

    assert np.array_equal(scored["anomaly_score"].to_numpy(), packed.score(make_rows(100))[1])
