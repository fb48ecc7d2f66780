"""Synthetic data are recognized, and real data are not mistaken for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.data.dataset import Dataset, is_synthetic, read_training_data
from training.data.synthetic import make_credits, write_credits


@pytest.fixture
def synthetic(tmp_path: Path) -> Dataset:
    """Return rows of another seed than the example's, read from a file."""
    write_credits(tmp_path / "any.csv", make_credits(2000, seed=5))
    return read_training_data(tmp_path / "any.csv")


def test_synthetic_rows_are_recognized(synthetic):
    """Whatever the seed, the file name and the order of the rows."""
    assert is_synthetic(synthetic)
    assert is_synthetic(replace(synthetic, rows=synthetic.rows[::-1]))


def test_other_rows_are_not_synthetic(synthetic):
    """Other names, other scales, or no customer with a single purchase."""
    assert not is_synthetic(replace(synthetic, names=("a", "b")))
    assert not is_synthetic(replace(synthetic, rows=synthetic.rows * [1 + 1e-6, 1]))
    assert not is_synthetic(replace(synthetic, rows=synthetic.rows * [1, 1 + 1e-6]))
    assert not is_synthetic(replace(synthetic, rows=np.random.default_rng(1).normal(size=(100, 2))))


def test_real_sample_is_not_synthetic(real_training_csv):
    """The sample that the example imitates is not mistaken for it."""
    assert not is_synthetic(read_training_data(real_training_csv))
