"""A large table is read as a uniform sample, the same for any order of rows and files, and as Spark draws it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from spark.sampling import smallest_keys
from training.data import blocks, columnar, hash_log
from training.data.choices import Choices, SampleOptions
from training.data.dataset import Dataset, read_training_data
from training.data.source import GUESS
from training.errors import BadArgument, BadData
from training.fitting.exact_threshold import find_exact_threshold
from training.fitting.fit import ForestParameters, fit

# More than what NumPy sorts when it only has to find the smallest.
N_DRAWN = 450


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide small tables as if they were large."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 8192)
    monkeypatch.setattr(columnar, "_PART_ROWS", 300)
    monkeypatch.setattr(hash_log, "_CHUNK_ROWS", 500)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Return 4,000 rows: one occurs 1,001 times, others up to 12 times, some lack a value, and texts need quotes."""
    generator = np.random.default_rng(3)
    distinct = pd.DataFrame(
        {
            "x": generator.normal(size=600).round(6),
            "y": np.where(generator.random(600) < 0.1, np.nan, generator.normal(size=600)),
            "place": generator.choice(["Oslo", "Rome, Italy", 'the "Hague"'], 600),
            "fraud": generator.choice([0, 1], 600, p=[0.9, 0.1]),
        }
    )
    places = np.concatenate([np.repeat(np.arange(600), [1, 2, 5, 12] * 150), np.zeros(1000, int)])
    return distinct.iloc[generator.permutation(places)].reset_index(drop=True)


def draw(path: Path, max_rows: int = N_DRAWN, seed: int = 7, **options: object) -> Dataset:
    """Read a sample."""
    return read_training_data(path, sampling=SampleOptions(max_rows, seed), **options)  # type: ignore[arg-type]


def draw_as_spark(table: pd.DataFrame, seed: int = 7) -> pd.DataFrame:
    """Draw as Spark's executors do, from distinct rows with their counts."""
    counted = table.groupby(list(table.columns), dropna=False).size().rename("count").reset_index()
    batches = pa.Table.from_pandas(counted, preserve_index=False).to_batches()
    drawn = pa.Table.from_batches(list(smallest_keys(iter(batches), N_DRAWN, seed))).to_pandas()
    return drawn.sort_values("isowatch_key")[list(table.columns)].reset_index(drop=True)


@pytest.mark.parametrize("kind", ["csv", "parquet", "csv.gz"])
def test_sample_is_that_of_spark(table: pd.DataFrame, tmp_path: Path, kind: str):
    """Numbers, missing values, texts and labels are those of the drawn rows, in the order of their keys."""
    path = tmp_path / f"rows.{kind}"
    table.to_parquet(path) if kind == "parquet" else table.to_csv(path, index=False)

    data = draw(path, label="fraud")

    expected = draw_as_spark(table)
    levels = np.array(data.levels["place"])
    assert data.rows[:, :2].tolist() == pytest.approx(expected[["x", "y"]].to_numpy(), nan_ok=True, rel=1e-15)
    assert levels[data.column("place").astype(int)].tolist() == expected["place"].tolist()
    assert data.labels is not None
    assert data.labels.is_outlier.tolist() == (expected["fraud"] == 1).tolist()
    assert data.origins is not None
    assert data.origins.n_rows == len(table)


def test_order_of_files_and_rows_changes_nothing(table: pd.DataFrame, tmp_path: Path):
    """What Spark adds to a folder is no table, and small files are divided too."""
    numbers = table[["x", "y"]].fillna(0.0)
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, rows in ((one, numbers), (other, numbers.iloc[::-1])):
        folder.mkdir()
        (folder / "_SUCCESS").touch()
        for part in range(4):
            rows.iloc[1000 * part : 1000 * part + 1000].to_parquet(folder / f"part-{part}.parquet", index=False)

    drawn = draw(one)

    assert np.array_equal(drawn.rows, draw(other).rows)
    assert np.array_equal(drawn.rows, draw(one / "*.parquet").rows)
    assert np.array_equal(drawn.rows, draw_as_spark(numbers).to_numpy())
    assert not np.array_equal(drawn.rows, draw(one, seed=8).rows)
    assert drawn.path == one
    assert drawn.names == ("x", "y")


def test_table_that_is_not_larger_is_read_whole(
    table: pd.DataFrame, tmp_path: Path, write_csv: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    """Its rows keep their order, its digest is that of the file; the files of a folder follow each other."""
    path = tmp_path / "rows.csv"
    table.to_csv(path, index=False)
    whole = read_training_data(path)
    parts = tmp_path / "parts"
    parts.mkdir()
    for part in range(2):
        table.iloc[2000 * part : 2000 * part + 2000].to_csv(parts / f"{part}.csv", index=False)

    read, joined = draw(path, max_rows=4000), draw(parts, max_rows=4000)
    digest = read_training_data(parts / "0.csv").sha256
    # As one block each, not in several.
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2**20)
    drawn = draw(parts)

    assert np.array_equal(read.rows, whole.rows, equal_nan=True)
    assert (read.sha256, read.columns, read.origins) == (whole.sha256, whole.columns, None)
    assert np.array_equal(joined.rows, whole.rows, equal_nan=True)
    assert len({digest, joined.sha256, whole.sha256}) == 3
    assert drawn.sha256 == joined.sha256
    assert np.array_equal(drawn.rows, draw(path).rows, equal_nan=True)
    assert joined.origins is not None
    assert joined.origins.seed is None
    assert len(draw(write_csv("x\n1\n2\n3\n"), max_rows=2)) == 2


def test_message_names_file_and_line_of_a_drawn_row(tmp_path: Path):
    """Rows of a sample are not where they were."""
    (tmp_path / "a.csv").write_text("x,y\n" + "1,2\n" * 300)
    (tmp_path / "b.csv").write_text("x,y\n" + "1,2\n" * 300 + "1,many\n" + "1,2\n" * 10)

    with pytest.raises(BadData, match=r"b\.csv line 302, column y: 'many' is not a number"):
        draw(tmp_path / "*.csv", max_rows=610)


def test_codes_that_are_categories_count_as_texts(tmp_path: Path):
    """Otherwise rows with 1 and 1.0 would be equal, and either could be drawn."""
    codes = ["1", "1.0", "2"] * 400
    path, reverse = tmp_path / "a.csv", tmp_path / "b.csv"
    for file, cells in ((path, codes), (reverse, codes[::-1])):
        file.write_text("code,x\n" + "".join(f"{cell},0\n" for cell in cells))
    category = Choices(category=("code",))

    drawn, again = draw(path, 50, choices=category), draw(reverse, 50, choices=category)

    assert drawn.levels == again.levels
    assert len(drawn.levels["code"]) == 3
    assert np.array_equal(drawn.rows, again.rows)


def test_times_are_read_and_lists_are_refused(tmp_path: Path):
    """Times in Parquet have no 64 bits of a number."""
    times = pa.array(pd.date_range("2026-01-01", periods=1000, freq="h"))
    parquet.write_table(pa.table({"x": np.arange(1000.0), "at": times}), tmp_path / "rows.parquet")
    parquet.write_table(pa.table({"x": [[1.0]] * 1000}), tmp_path / "lists.parquet")

    drawn = draw(tmp_path / "rows.parquet", choices=Choices(time_parts=("at",)))

    assert len(drawn) == N_DRAWN
    assert np.array_equal(drawn.column("x") % 24, drawn.column("at") % 24 - 72 % 24)
    with pytest.raises(BadData, match=r"lists\.parquet, column x: .*list<.*leave the column out with --drop x"):
        draw(tmp_path / "lists.parquet")


def test_tables_of_other_columns_are_refused(tmp_path: Path):
    """As one table they would have no header."""
    (tmp_path / "a.csv").write_text("x,y\n" + "1,2\n" * 300)
    (tmp_path / "b.csv").write_text("y,x\n1,2\n")

    with pytest.raises(BadData, match=r"b\.csv has the columns y, x, and .*a\.csv has x, y"):
        draw(tmp_path)
    with pytest.raises(BadData, match="there is no table"):
        draw(tmp_path / "*.parquet")


def test_pipe_is_read_once(table: pd.DataFrame, tmp_path: Path):
    """Its rows are in memory when some of them are wanted again."""
    path = tmp_path / "rows.csv"
    table.to_csv(path, index=False)
    os.mkfifo(pipe := tmp_path / "pipe")
    writer = threading.Thread(target=pipe.write_bytes, args=(path.read_bytes(),))
    writer.start()

    drawn = draw(pipe)
    writer.join()

    assert np.array_equal(drawn.rows, draw(path).rows, equal_nan=True)
    assert drawn.origins is not None
    with pytest.raises(BadArgument, match=r"reads .*pipe three times, which only a file allows"):
        find_exact_threshold(fit(drawn.matrix, ForestParameters(0.1, 2)), drawn, GUESS)


def test_full_disk_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The message says what is stored there, and where else it could be."""
    pd.DataFrame({"x": np.arange(1000.0)}).to_parquet(tmp_path / "rows.parquet")
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - the log closes it
    monkeypatch.setattr("tempfile.TemporaryFile", lambda buffering: full)

    with pytest.raises(BadData, match=r"No space left.*set TMPDIR to a folder with 8 bytes for each row"):
        draw(tmp_path / "rows.parquet")
