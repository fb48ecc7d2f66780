"""A table that is read in blocks is scored as one that is read at once, to the byte."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.model.bundle import Bundle, read_bundle
from training.bundle.write import TrainedModel, write_bundle
from training.data import blocks, columnar
from training.data.blocks import read_blocks
from training.data.score_columns import HowToScore
from training.data.score_file import ScoredFile, score_file
from training.data.source import Dialect
from training.errors import BadArgument, BadData

ROWS = 400


@pytest.fixture(scope="module")
def bundle(small_model: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a model of the features mean and sd."""
    return read_bundle(write_bundle(tmp_path_factory.mktemp("models"), small_model).folder)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks of few rows."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(columnar, "_PART_ROWS", 30)


def make_text(end: str = "\n", separator: str = ",", note: str = "n{}", rows: int = ROWS, decimal: str = ".") -> str:
    """Return a table with columns that the model does not have."""
    numbers = np.random.default_rng(1).normal(size=(rows, 2)).tolist()
    lines = [f"mean{separator}note{separator}sd"]
    for place, (mean, sd) in enumerate(numbers):
        cells = (repr(mean).replace(".", decimal), note.format(place), repr(sd).replace(".", decimal))
        lines.append(separator.join(cells))
    return end.join(lines) + end


def make_formulas() -> str:
    """Return a table with cells that a spreadsheet would run, numbers with signs, and empty cells."""
    notes = ("=1+1", "+49 30", "-5", "@x", "", "-", "+7")
    lines = make_text().splitlines()
    for place in range(1, len(lines)):
        lines[place] = lines[place].replace(f"n{place - 1}", notes[place % len(notes)])
    return "\n".join(lines) + "\n"


TEXTS = {
    "plain": make_text(),
    "quoted-header": make_text().replace("mean,note,sd", '"mean","note","sd"', 1),
    "carriage-returns": make_text("\r\n"),
    "empty-lines-at-the-end": make_text() + "\n" * 1500,
    "no-last-line-end": make_text().rstrip(),
    "byte-order-mark": "\ufeff" + make_text(),
    "accents": make_text(note="é{}"),
    "semicolons-decimal-comma": make_text(separator=";", decimal=","),
    "tabs": make_text(separator="\t"),
    "quotes": make_text(note='"a ""b"", {}\nsecond line"'),
    "a-quote-in-a-cell": make_text(note='5" pipe {}'),
    "separator-line": "sep=;\n" + make_text(separator=";"),
    "separators-at-line-ends": make_text().replace("\n", ",\n").replace("sd,\n", "sd\n", 1),
    "formulas": make_formulas(),
}


@pytest.mark.parametrize("name", TEXTS)
def test_blocks_make_the_same_result(bundle, write_csv, tmp_path, request, name):
    """Whatever the dialect."""
    source = write_csv(TEXTS[name])
    whole = score_file(bundle, source, tmp_path / "whole.csv")
    request.getfixturevalue("small_blocks")

    divided = score_file(bundle, source, tmp_path / "divided.csv")

    assert (tmp_path / "divided.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert divided == whole
    assert divided.n_rows == ROWS
    n_blocks = len(list(read_blocks(source)))
    assert n_blocks == 1 if name == "separators-at-line-ends" else n_blocks > 5


def test_result_is_that_of_each_cell(bundle, small_model, write_csv, tmp_path, small_blocks):
    """As the csv module would copy the cells, with scikit-learn's scores."""
    source = write_csv(TEXTS["formulas"])
    with source.open(newline="") as opened:
        rows = list(csv.reader(opened))[1:]
    numbers = np.array([[float(mean), float(sd)] for mean, _, sd in rows])

    score_file(bundle, source, tmp_path / "out.csv", HowToScore(is_raw=True))

    with (tmp_path / "out.csv").open(newline="") as opened:
        written = list(csv.DictReader(opened))
    assert [[row["mean"], row["note"], row["sd"]] for row in written] == rows
    assert [float(row["anomaly_score"]) for row in written] == small_model.estimator.score_samples(numbers).tolist()
    assert [int(row["is_inlier"]) for row in written] == small_model.estimator.predict(numbers).tolist()


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_other_encodings_are_read_whole(bundle, tmp_path, small_blocks, encoding):
    """An encoding is only known when all of the text is read."""
    source = tmp_path / "in.csv"
    source.write_bytes(make_text(note="é{}").encode(encoding))

    assert len(list(read_blocks(source))) == 1
    assert score_file(bundle, source, tmp_path / "out.csv").n_rows == ROWS
    assert "é7" in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_compressed_text_is_divided(bundle, write_csv, tmp_path, small_blocks):
    """It is decompressed as it is read."""
    source, packed = write_csv(make_text()), tmp_path / "in.csv.gz"
    packed.write_bytes(gzip.compress(source.read_bytes()))

    score_file(bundle, source, tmp_path / "one.csv")
    score_file(bundle, packed, tmp_path / "two.csv")

    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert len(list(read_blocks(packed))) > 5


@pytest.mark.parametrize("target", ["out.parquet", "out.feather", "out.csv"])
@pytest.mark.parametrize("explains", [False, True])
def test_typed_columns_are_divided(bundle, tmp_path, monkeypatch, target, explains):
    """With integers, single precision and texts, which are as they would be otherwise."""
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "mean": rng.normal(size=100).astype(np.float32),
            "n": np.arange(100),
            "sd": rng.normal(size=100),
            "note": [None if place % 7 else f"n{place}" for place in range(100)],
        }
    )
    table.to_parquet(tmp_path / "in.parquet")
    score_file(bundle, tmp_path / "in.parquet", tmp_path / f"whole-{target}", HowToScore(explains=explains))
    monkeypatch.setattr(columnar, "_PART_ROWS", 30)

    score_file(bundle, tmp_path / "in.parquet", tmp_path / target, HowToScore(explains=explains))

    assert len(list(read_blocks(tmp_path / "in.parquet"))) == 4
    if target == "out.csv":
        assert (tmp_path / target).read_bytes() == (tmp_path / f"whole-{target}").read_bytes()
        return
    read = pd.read_parquet if target == "out.parquet" else pd.read_feather
    pd.testing.assert_frame_equal(read(tmp_path / target), read(tmp_path / f"whole-{target}"), check_dtype=False)


def test_texts_that_depend_on_other_rows_are_not_divided(tmp_path, small_blocks):
    """Whole numbers with missing values become fractions in text, and midnights lose their time."""
    pd.DataFrame({"n": pd.array([1, None] * 50, dtype="float64"), "t": pd.Timestamp("2026-01-01")}).astype(
        {"n": "Int64"}
    ).to_parquet(tmp_path / "in.parquet")

    assert len(list(read_blocks(tmp_path / "in.parquet"))) == 1
    assert len(list(read_blocks(tmp_path / "in.parquet", writes_text=False))) == 4


def test_message_names_the_line_of_the_file(bundle, write_csv, tmp_path, small_blocks):
    """Far behind the first block; nothing is written."""
    lines = make_text().splitlines()
    lines[333] = "0.5,n,many"
    source = write_csv("\n".join(lines))

    with pytest.raises(BadData, match="line 334, column sd: 'many' is not a number"):
        score_file(bundle, source, tmp_path / "out.csv")

    assert list(tmp_path.iterdir()) == [source]


def test_quote_that_is_not_closed_is_refused(bundle, write_csv, tmp_path, small_blocks):
    """With the line on which its record starts."""
    lines = make_text(note='"x"').splitlines()
    lines[333] = '0.5,"x,0.5'

    with pytest.raises(BadData, match="line 334: the quotes do not match"):
        score_file(bundle, write_csv("\n".join(lines)), tmp_path / "out.csv")


def test_unfamiliar_value_in_a_late_block_adds_the_column(bundle, write_csv, tmp_path, small_blocks, capsys):
    """As if all had been read at once: the column is empty above, and guesses are printed once."""
    source = write_csv("mean;sd\n" + "0;0\n" * 1000 + "99;0\n")

    found = score_file(bundle, source, tmp_path / "out.csv")

    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert found == ScoredFile(1001, 1, 1, {"mean"})
    assert lines[0].endswith(";unfamiliar")
    assert lines[1].endswith(";")
    assert capsys.readouterr().err.count("guessed cells separated by semicolons") == 1
    assert lines[-1].endswith('"{""mean"":""above training range""}"')


def test_bad_rows_are_skipped_and_kept_apart(bundle, write_csv, tmp_path, small_blocks):
    """Whatever is wrong with them; all other rows are as in a file without them."""
    lines = make_text().splitlines()
    bad = {100: "0.5,n,many", 101: "inf,n,0", 102: ",n,0", 250: "0.5,n", 380: "1e99,n,0"}
    clean = [line for place, line in enumerate(lines) if place not in bad]
    score_file(bundle, write_csv("\n".join(clean), "clean.csv"), tmp_path / "clean-out.csv")
    for place, line in bad.items():
        lines[place] = line

    found = score_file(
        bundle, write_csv("\n".join(lines)), target := tmp_path / "out.csv", HowToScore(skips_bad_rows=True)
    )

    assert target.read_bytes() == (tmp_path / "clean-out.csv").read_bytes()
    assert (found.n_rows, found.n_bad) == (ROWS - len(bad), len(bad))
    with (tmp_path / "out.csv.rejects.csv").open(newline="") as opened:
        rejected = list(csv.DictReader(opened))
    assert {int(row["line"]) - 1: row["row"] for row in rejected} == bad
    reasons = [row["reason"] for row in rejected]
    assert reasons[0] == "column sd: 'many' is not a number; correct it, or leave the column out"
    assert reasons[3] == "the header has 3 columns, this line 2"

    score_file(bundle, write_csv("\n".join(clean), "clean.csv"), target, HowToScore(skips_bad_rows=True))
    assert not (tmp_path / "out.csv.rejects.csv").exists()


def test_bad_rows_of_typed_columns_are_skipped(bundle, tmp_path, small_blocks):
    """The types of the others stay."""
    table = pd.DataFrame({"mean": np.linspace(-1, 1, 100), "sd": 0.5, "note": "x"})
    table.loc[[40, 77], "sd"] = [np.inf, np.nan]
    table.to_parquet(tmp_path / "in.parquet")

    found = score_file(bundle, tmp_path / "in.parquet", tmp_path / "out.parquet", HowToScore(skips_bad_rows=True))

    written = pd.read_parquet(tmp_path / "out.parquet")
    assert (found.n_rows, found.n_bad) == (98, 2)
    pd.testing.assert_frame_equal(written[["mean", "sd", "note"]], table.drop([40, 77]).reset_index(drop=True))


def test_block_of_bad_rows_is_explained(bundle, write_csv, tmp_path, small_blocks):
    """There is nothing to explain in it, and the columns are those of the others."""
    source = write_csv("mean,sd\n" + "x,0\n" * 600 + "0,0\n")

    found = score_file(bundle, source, tmp_path / "out.csv", HowToScore(skips_bad_rows=True, explains=True))

    assert (found.n_rows, found.n_bad) == (1, 600)
    header, row = (tmp_path / "out.csv").read_text().splitlines()
    assert header.startswith("mean,sd,is_inlier,anomaly_score,contribution.mean,contribution.sd,")
    assert row.startswith("0,0,1,-0.")


def test_unknown_encoding_is_refused(bundle, write_csv, tmp_path, small_blocks):
    """However large the table is."""
    with pytest.raises(BadData, match="there is no encoding 'utf-9'"):
        score_file(bundle, write_csv(make_text()), tmp_path / "out.csv", HowToScore(dialect=Dialect(encoding="utf-9")))


def test_skipping_needs_a_place_and_a_good_row(bundle, write_csv, tmp_path):
    """Otherwise it is a mistake."""
    how = HowToScore(skips_bad_rows=True)
    with pytest.raises(BadArgument, match="--on-bad-row skip needs a file"):
        score_file(bundle, write_csv("mean,sd\n1,x\n"), Path("/dev/null"), how)
    with pytest.raises(BadData, match="none of its 1 row can be scored"):
        score_file(bundle, write_csv("mean,sd\n1,x\n"), tmp_path / "out.csv", how)
    assert not list(tmp_path.glob("out*"))


def test_stated_dialect_is_used(bundle, write_csv, tmp_path, small_blocks, capsys):
    """And no guess is printed."""
    source = write_csv(TEXTS["semicolons-decimal-comma"])
    score_file(bundle, source, tmp_path / "out.csv", HowToScore(dialect=Dialect(";", ",", None, "utf-8")))
    assert capsys.readouterr().err == ""
    assert json.loads((tmp_path / "out.csv").read_text().splitlines()[1].split(";")[3]) in (1, -1)
