"""The example data resemble the real sample, are reproducible, and are written completely or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from training.data.synthetic import (
    CUSTOMER_KINDS,
    DEFAULT_SEED,
    MEAN_SCALING,
    PRICES,
    SD_OF_ONE_PURCHASE,
    SD_SCALING,
    TEST_ROWS,
    TRAIN_ROWS,
    main,
    make_credits,
)

Rows = npt.NDArray[np.float64]

# Figures of the real training sample: quantile -> (mean, sd).
REAL_QUANTILES = {
    0.0: (-0.284889, -0.106749),
    0.01: (-0.284889, -0.106749),
    0.05: (-0.2214, -0.1067),
    0.25: (-0.1580, -0.1067),
    0.5: (-0.1580, -0.1067),
    0.75: (-0.1353, -0.1062),
    0.9: (0.1197, -0.0539),
    0.95: (0.6354, 0.2521),
    0.99: (2.222, 1.989),
    0.999: (9.249, 13.48),
    1.0: (66.324763, 57.676982),
}
REAL_MEAN_AND_SD = ((-0.0021, 0.954), (0.0008, 1.020))
REAL_CORRELATION = 0.66
REAL_NEGATIVE_MEANS = 0.817
REAL_REPEATED_ROWS = 0.96

# One credit in each column's unit: quantiles jump between frequent values, and near 0 a tenth of one is tiny.
ONE_CREDIT = (1 / MEAN_SCALING[1], 1 / SD_SCALING[1])


def read_rows(path: Path) -> Rows:
    """Read the numbers of a CSV file."""
    return np.loadtxt(path, delimiter=",", skiprows=1)


def share_of_repeated_rows(rows: Rows) -> float:
    """Return the share of rows that equal an earlier one."""
    return 1 - len(np.unique(rows, axis=0)) / len(rows)


def correlation(rows: Rows) -> float:
    """Return Pearson's correlation of the two columns."""
    return float(np.asarray(np.corrcoef(rows.T))[0, 1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the example data of the default seed."""
    folder = tmp_path_factory.mktemp("data")
    assert main(["--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def train(folder: Path) -> Rows:
    """Return the default training rows, read from their file."""
    return read_rows(folder / "train.csv")


@pytest.fixture(scope="module")
def held_out(folder: Path) -> Rows:
    """Return the default test rows, read from their file."""
    return read_rows(folder / "test.csv")


@pytest.mark.parametrize("column", [0, 1], ids=["mean", "sd"])
@pytest.mark.parametrize("quantile", REAL_QUANTILES)
def test_quantile_is_close_to_the_real_one(train: Rows, quantile: float, column: int):
    """Within a tenth or one credit up to 99 %, within a quarter in the outermost thousandth."""
    real = REAL_QUANTILES[quantile][column]
    tolerance = 0.1 * abs(real) if quantile <= 0.99 else 0.25 * abs(real)

    assert np.quantile(train[:, column], quantile) == pytest.approx(real, rel=0, abs=max(tolerance, ONE_CREDIT[column]))


@pytest.mark.parametrize("column", [0, 1], ids=["mean", "sd"])
def test_columns_are_normalized_like_the_real_ones(train: Rows, column: int):
    """Each mean is close to 0, each standard deviation within a tenth of the real one."""
    mean, sd = REAL_MEAN_AND_SD[column]

    assert train[:, column].mean() == pytest.approx(mean, abs=0.02)
    assert train[:, column].std() == pytest.approx(sd, rel=0.1)


def test_columns_are_correlated_like_the_real_ones(train: Rows):
    """The correlation is within 0.05 of the real one."""
    assert correlation(train) == pytest.approx(REAL_CORRELATION, abs=0.05)


def test_rows_repeat_like_the_real_ones(train: Rows):
    """Repeated rows and negative means are as frequent as in the real sample."""
    assert share_of_repeated_rows(train) == pytest.approx(REAL_REPEATED_ROWS, abs=0.015)
    assert (train[:, 0] < 0).mean() == pytest.approx(REAL_NEGATIVE_MEANS, abs=0.01)


def test_isolation_forest_flags_as_many_as_in_the_real_sample(train: Rows):
    """With scikit-learn's own threshold about 84.26 % of the rows are inliers."""
    labels = IsolationForest(random_state=16, contamination="auto").fit_predict(train)

    assert 0.80 < (labels == 1).mean() < 0.90


def test_test_rows_have_the_same_distribution(train: Rows, held_out: Rows):
    """Frequent values, negative means and spread equal those of the training rows, within chance."""
    atoms, counts = np.unique(train, axis=0, return_counts=True)
    for atom, count in zip(atoms[counts > 1000], counts[counts > 1000], strict=True):
        share = count / TRAIN_ROWS
        # Five standard errors of a share of the smaller file.
        chance = 5 * np.sqrt(share * (1 - share) / TEST_ROWS)
        assert (held_out == atom).all(axis=1).mean() == pytest.approx(share, abs=chance)

    assert (held_out[:, 0] < 0).mean() == pytest.approx((train[:, 0] < 0).mean(), abs=0.02)
    assert np.quantile(held_out, 0.95, axis=0) == pytest.approx(np.quantile(train, 0.95, axis=0), rel=0.5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_other_seeds_have_the_same_distribution(seed: int):
    """The shape does not depend on the default seed; only the far tail varies with the seed."""
    rows = make_credits(TRAIN_ROWS, seed)

    assert rows.min(axis=0) == pytest.approx(REAL_QUANTILES[0.0], abs=1e-6)
    assert np.median(rows, axis=0) == pytest.approx(REAL_QUANTILES[0.5], abs=1e-4)
    assert (rows[:, 0] < 0).mean() == pytest.approx(REAL_NEGATIVE_MEANS, abs=0.01)
    assert share_of_repeated_rows(rows) == pytest.approx(REAL_REPEATED_ROWS, abs=0.015)
    assert correlation(rows) > 0.4


def test_expected_figures_are_those_of_the_real_sample(real_training_csv: Path):
    """The figures that the example data are compared with."""
    real = read_rows(real_training_csv)

    assert len(real) == TRAIN_ROWS
    for quantile, figures in REAL_QUANTILES.items():
        assert np.quantile(real, quantile, axis=0) == pytest.approx(figures, rel=1e-3)
    for column, (mean, sd) in enumerate(REAL_MEAN_AND_SD):
        assert real[:, column].mean() == pytest.approx(mean, abs=1e-4)
        assert real[:, column].std() == pytest.approx(sd, rel=1e-3)
    assert correlation(real) == pytest.approx(REAL_CORRELATION, abs=0.005)
    assert (real[:, 0] < 0).mean() == pytest.approx(REAL_NEGATIVE_MEANS, abs=0.0005)
    assert share_of_repeated_rows(real) == pytest.approx(REAL_REPEATED_ROWS, abs=0.005)


def test_most_frequent_rows_are_those_of_the_real_sample(train: Rows, real_training_csv: Path):
    """The two most frequent rows, with a half and a sixth of all rows, are in the same places."""
    real = read_rows(real_training_csv)
    atoms, counts = np.unique(real.round(6), axis=0, return_counts=True)
    greatest = np.argsort(counts)[-2:]

    for atom, count in zip(atoms[greatest], counts[greatest], strict=True):
        # The normalization was derived from the sample, so it is exact to about its sixth decimal.
        assert (np.abs(train - atom) < 2e-6).all(axis=1).sum() == pytest.approx(count, rel=0.1)


def test_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path):
    """Both files are reproducible byte for byte, also when they replace existing files."""
    (tmp_path / "train.csv").write_text("somebody's earlier file\n")

    assert main(["--out", str(tmp_path), "--seed", str(DEFAULT_SEED)]) == 0

    for name in ("train.csv", "test.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_seeds_and_files_use_different_random_streams(train: Rows, held_out: Rows):
    """Another seed gives other rows, and the test rows are not a part of the training rows."""
    assert not np.array_equal(make_credits(1000, seed=1), make_credits(1000, seed=2))
    assert not np.array_equal(train[:TEST_ROWS], held_out)
    assert not np.array_equal(train[-TEST_ROWS:], held_out)


def test_files_have_full_precision(folder: Path, train: Rows, held_out: Rows):
    """A header, the right number of rows, plain line ends, and numbers that are read back exactly."""
    streams = np.random.SeedSequence(DEFAULT_SEED).spawn(2)
    for name, rows, read, stream in (
        ("train.csv", TRAIN_ROWS, train, streams[0]),
        ("test.csv", TEST_ROWS, held_out, streams[1]),
    ):
        text = (folder / name).read_bytes()
        assert text.startswith(b"mean,sd\n")
        assert text.count(b"\n") == rows + 1
        assert text.endswith(b"\n")
        assert b"\r" not in text
        assert np.array_equal(read, make_credits(rows, stream))


def test_one_line_is_printed_for_each_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The output names the files and says that they are synthetic; missing folders are created."""
    out = tmp_path / "new" / "data"

    assert main(["--out", str(out)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"{out / 'train.csv'}: 64,227 synthetic rows",
        f"{out / 'test.csv'}: 16,057 synthetic rows",
    ]
    assert sorted(path.name for path in out.iterdir()) == ["test.csv", "train.csv"]


def test_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """If the disk is full, the old file is kept and no part of a new one appears."""
    (tmp_path / "train.csv").write_text("old\n")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)

    assert main(["--out", str(tmp_path)]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]
    assert (tmp_path / "train.csv").read_text() == "old\n"
    assert "No space left on device" in capsys.readouterr().err


def test_folder_that_is_a_file_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The message names the folder and the option that changes it."""
    out = tmp_path / "data"
    out.write_text("")

    assert main(["--out", str(out)]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert str(out) in line
    assert "--out" in line


@pytest.mark.parametrize("seed", ["-1", "1.5", "many", ""])
def test_invalid_seed_is_refused(seed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Anything but a whole number from 0 up gives status 2, a message with the value, and no file."""
    with pytest.raises(SystemExit) as ended:
        main(["--out", str(tmp_path), f"--seed={seed}"])

    assert ended.value.code == 2
    assert f"{seed!r} is not a seed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_zero_rows_are_refused():
    """Zero rows are an error of the caller, not an empty table."""
    with pytest.raises(ValueError, match="rows is 0; use at least 1"):
        make_credits(0, seed=1)


@given(rows=st.integers(1, 200), seed=st.integers(0, 2**64))
def test_every_row_is_a_possible_customer(rows: int, seed: int):
    """For any seed, rows are within the prices, and a single purchase has exactly one of the prices."""
    mean, sd = (make_credits(rows, seed) * (MEAN_SCALING[1], SD_SCALING[1]) + (MEAN_SCALING[0], SD_SCALING[0])).T
    bought_once = np.isclose(sd, SD_OF_ONE_PURCHASE, atol=1e-9)

    assert len(mean) == rows
    assert (mean > PRICES[0] - 1e-9).all()
    assert (mean < PRICES[-1] + 1e-9).all()
    assert np.isin(mean[bought_once].round(9), PRICES).all()
    # The largest standard deviation is that of two purchases at the lowest and the highest price.
    assert (sd[~bought_once] > -1e-9).all()
    assert (sd < (PRICES[-1] - PRICES[0]) / np.sqrt(2) + 1e-9).all()


def test_customer_kinds_are_complete():
    """Each kind has a weight for each price, and the shares of all kinds add up to 1."""
    assert all(len(kind.price_weights) == len(PRICES) for kind in CUSTOMER_KINDS)
    assert sum(kind.share for kind in CUSTOMER_KINDS) == pytest.approx(1)


def test_module_does_not_import_the_training_libraries():
    """Neither pandas nor scikit-learn, which take seconds to load."""
    code = "import sys, training.data.synthetic; print(sorted({'pandas', 'scipy', 'sklearn'} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[3]

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout

    assert printed.strip() == "[]"
