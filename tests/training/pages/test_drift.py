"""The page about two files has the conclusion, all figures and pictures of each feature."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from training.data.dataset import Dataset
from training.drift.compare import compare_files, conclude
from training.pages.drift import compose_drift_page


@pytest.fixture(scope="module")
def comparison():
    """Compare three features, one of which has changed much and another one a little."""
    names = ("mean", "sd", "<visits>")
    reference, current = np.random.default_rng(1).normal(size=(2, 20_000, 3))
    before, after = (
        Dataset(names, rows, Path("elsewhere") / file, "ab" * 32, names)
        for file, rows in {"ref.csv": reference, "now.csv": current + np.array([0.1, 0, 1])}.items()
    )
    return compare_files(before, after, min_effect=0.1)


def test_page_shows_the_result(comparison):
    """The compared files, the conclusion, the figures of each feature, and an explanation."""
    page = compose_drift_page(comparison)

    assert "<h1>now.csv against ref.csv</h1>" in page
    assert "elsewhere" not in page
    assert f"now.csv (current): 20,000 rows; sha256 {'ab' * 32}." in page
    for sentence in conclude(comparison):
        assert f"<p>{sentence.replace('<', '&lt;').replace('>', '&gt;')}</p>" in page
    verdicts = re.findall(r"<th>(\S+)</th>\s*<td>(yes|little|no)</td>", page)
    assert verdicts == [("&lt;visits&gt;", "yes"), ("mean", "little"), ("sd", "no")]
    for figure in ("KS distance", "corrected p", "PSI threshold", "squared MMD"):
        assert f"<th>{figure}</th>" in page


def test_each_feature_is_drawn_twice_the_largest_change_first(comparison):
    """In bins of equal width and in those of the stability index."""
    page = compose_drift_page(comparison)

    drawn = re.findall(r'role="group" aria-label="(.*?)"', page)
    assert drawn == [name for name in ("&amp;lt;visits&amp;gt;", "mean", "sd") for _ in range(2)]
