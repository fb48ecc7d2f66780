"""Scoring a file adds two columns and changes nothing else."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyarrow import feather, parquet

from app.errors import ModelsNotWritable
from app.model.bundle import Bundle, read_bundle
from training.bundle.write import TrainedModel, write_bundle
from training.data.score_columns import HowToScore
from training.data.score_file import ScoredFile, score_file
from training.data.score_writers import CsvWriter
from training.data.source import decompress
from training.errors import BadArgument, BadData


@pytest.fixture(scope="module")
def bundle(small_model: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a model of the features mean and sd."""
    return read_bundle(write_bundle(tmp_path_factory.mktemp("models"), small_model).folder)


def read_cells(path: Path) -> list[list[str]]:
    """Read a CSV file as cells."""
    with path.open(newline="", encoding="utf-8") as opened:
        return list(csv.reader(opened))


def test_label_and_score_are_added(bundle, small_model, write_csv, tmp_path):
    """All other cells keep their text, and features are matched by name."""
    source = write_csv('sd,note,mean\r\n0.50,"late, again",1e-1\r\n4,é,-3.0\r\n')

    scored = score_file(bundle, source, tmp_path / "out.csv")

    expected = small_model.estimator.score_samples(np.array([[0.1, 0.5], [-3, 4]]))
    labels = small_model.estimator.predict(np.array([[0.1, 0.5], [-3, 4]]))
    assert read_cells(tmp_path / "out.csv") == [
        ["sd", "note", "mean", "is_inlier", "anomaly_score", "unfamiliar"],
        ["0.50", "late, again", "1e-1", str(labels[0]), repr(float(expected[0])), ""],
        ["4", "é", "-3.0", str(labels[1]), repr(float(expected[1])), '{"sd":"above training range"}'],
    ]
    assert scored == ScoredFile(n_rows=2, n_flagged=1, n_unfamiliar=1, unfamiliar_columns={"sd"})
    assert labels.tolist() == [1, -1]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_p_values_are_those_of_explanations(bundle, write_csv, tmp_path, name):
    """Alone, they need no explanation, and are written with the same digits."""
    lines = [f"{mean},{sd}" for mean in np.arange(-3, 3, 0.25).round(2) for sd in (-9, 0.0, 0.5)]
    source, read = write_csv("\n".join(["mean,sd", *lines])), {".csv": read_cells, ".parquet": parquet.read_table}
    score_file(bundle, source, tmp_path / f"why-{name}", HowToScore(explains=True))

    score_file(bundle, source, tmp_path / name, HowToScore(adds_p_values=True))

    explained, alone = (read[Path(name).suffix](tmp_path / each) for each in (f"why-{name}", name))
    if name == "out.csv":
        place = explained[0].index("p_value")
        assert alone[0] == ["mean", "sd", "is_inlier", "anomaly_score", "p_value", "unfamiliar"]
        assert [cells[4] for cells in alone] == [cells[place] for cells in explained]
    else:
        assert alone["p_value"].to_pylist() == explained["p_value"].to_pylist()
        assert min(alone["p_value"].to_pylist()) < 0.01 < 0.5 < max(alone["p_value"].to_pylist()) <= 1


def test_p_values_of_a_model_without_are_refused(bundle, write_csv, tmp_path):
    """Instead of a column without values."""
    lacking = replace(bundle, out_of_bag=None)

    with pytest.raises(BadArgument, match=r"^--p-value: model \S+ has no p-values: .* or train again\.$"):
        score_file(lacking, write_csv("mean,sd\n1,1\n"), tmp_path / "out.csv", HowToScore(adds_p_values=True))

    assert not (tmp_path / "out.csv").exists()


def test_column_of_unfamiliar_values_may_always_be_there(bundle, write_csv, tmp_path):
    """So that results of many tables have the same columns."""
    source = write_csv("mean,sd\n0.5,0.5\n")

    score_file(bundle, source, tmp_path / "out.csv", HowToScore(adds_unfamiliar=True))

    header, row = read_cells(tmp_path / "out.csv")
    assert header == ["mean", "sd", "is_inlier", "anomaly_score", "unfamiliar"]
    assert row[-1] == ""


@pytest.mark.parametrize("name", ["out.csv.gz", "out.CSV.ZST", "out.parquet", "out.feather", "out.arrow"])
def test_name_of_the_result_chooses_its_format(bundle, write_csv, tmp_path, name):
    """Compressed CSV has the same bytes; in columns, the model's numbers are numbers, and no text is a formula."""
    source = write_csv('sd,note,mean\n0.50,"=1+1",1e-1\n4,007,-3.0\n')
    score_file(bundle, source, tmp_path / "out.csv")

    score_file(bundle, source, tmp_path / name)

    plain, written = (tmp_path / "out.csv").read_bytes(), (tmp_path / name).read_bytes()
    if "csv" in name.lower():
        assert written != plain
        assert decompress(tmp_path / name, written) == plain
        return
    table = (pd.read_parquet if name == "out.parquet" else pd.read_feather)(tmp_path / name)
    expected = pd.read_csv(tmp_path / "out.csv", dtype={"note": str}, keep_default_na=False)
    assert table["note"].tolist() == ["=1+1", "007"]
    pd.testing.assert_frame_equal(table.drop(columns="note"), expected.drop(columns="note"), check_dtype=False)


@pytest.mark.parametrize("name", ["out.xlsx", "out.JSON", "out.zip"])
def test_formats_that_are_not_written_are_refused(bundle, write_csv, tmp_path, name):
    """A name like these promises more than CSV."""
    with pytest.raises(BadArgument, match=r"cannot be written; use \.csv"):
        score_file(bundle, write_csv("mean,sd\n0,0\n"), tmp_path / name)
    assert not (tmp_path / name).exists()


def test_types_of_columns_are_kept(bundle, small_model, tmp_path):
    """From Parquet to Feather, with columns that CSV does not have."""
    table = pd.DataFrame(
        {
            "when": pd.to_datetime(["2026-01-01", None]),
            "mean": np.array([0.1, -3], np.float32),
            "sd": [1, 4],
            "n": pd.array([2**60 + 1, None], dtype="Int64"),
        }
    )
    table.to_parquet(tmp_path / "in.parquet")

    score_file(bundle, tmp_path / "in.parquet", tmp_path / "out.feather")

    read = feather.read_table(tmp_path / "out.feather")
    source = parquet.read_table(tmp_path / "in.parquet")
    assert read.select(source.column_names).equals(source)
    assert read["is_inlier"].to_pylist() == [1, -1]
    expected = small_model.estimator.score_samples(np.array([[0.1, 1], [-3, 4]]))
    assert read["anomaly_score"].to_pylist() == expected.tolist()


def test_file_may_be_scored_in_place(bundle, write_csv):
    """It is read completely before it is replaced."""
    path = write_csv("mean,sd\n0,0\n")

    score_file(bundle, path, path)

    assert read_cells(path)[0] == ["mean", "sd", "is_inlier", "anomaly_score"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("mean,sd,is_inlier\n1,2,1\n", "the column is_inlier exists already"),
        ("mean,anomaly_score,sd\n1,2,1\n", "the column anomaly_score exists already"),
        ("mean\n1\n", "has no column sd"),
        ("mean,sd\n1,x\n", "line 2, column sd: 'x' is not a number"),
    ],
)
def test_invalid_file_is_refused(bundle, write_csv, tmp_path, content, message):
    """And no output is written."""
    source = write_csv(content)

    with pytest.raises(BadData, match=message):
        score_file(bundle, source, tmp_path / "out.csv")

    assert list(tmp_path.iterdir()) == [source]


def test_unwritable_output_is_refused(bundle, write_csv, tmp_path):
    """Such as a missing folder, or a file in its place."""
    source = write_csv("mean,sd\n1,2\n")

    for target in (tmp_path / "none" / "out.csv", source / "out.csv"):
        with pytest.raises(ModelsNotWritable, match=r"out\.csv cannot be written"):
            score_file(bundle, source, target)


def test_nothing_is_left_when_writing_fails(bundle, write_csv, tmp_path, monkeypatch):
    """The output of an earlier run is kept."""
    source, target = write_csv("mean,sd\n1,2\n"), write_csv("earlier", "out.csv")

    def fail(writer: CsvWriter, rendered: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CsvWriter, "write", fail)
    with pytest.raises(KeyboardInterrupt):
        score_file(bundle, source, target)

    assert target.read_text() == "earlier"
    assert sorted(tmp_path.iterdir()) == sorted([source, target])


@pytest.mark.parametrize("is_raw", [False, True])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(bundle, write_csv, tmp_path, is_raw):
    """In cells and column names; numbers keep their sign, and ``--raw`` copies everything."""
    formula, mark = '=HYPERLINK("http://elsewhere")', "" if is_raw else "'"
    source = write_csv('mean,sd,=note,+who\n-1,+2,"=HYPERLINK(""http://elsewhere"")",@desk\n')

    score_file(bundle, source, tmp_path / "out.csv", HowToScore(is_raw=is_raw))

    header, row = read_cells(tmp_path / "out.csv")
    assert header[:4] == ["mean", "sd", f"{mark}=note", f"{mark}+who"]
    assert row[:4] == ["-1", "+2", f"{mark}{formula}", f"{mark}@desk"]
