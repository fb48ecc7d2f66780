"""The Mulcross benchmark reproduces the paper's AUC, equal to scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.mulcross.__main__ import SEEDS, measure
from benchmarks.mulcross.rows import N_ROWS


@pytest.mark.long
def test_auc_equals_scikit_learns_and_is_close_to_the_papers(tmp_path, is_long):
    """Five seeds of the full set in a long run, else one seed of a smaller set."""
    seeds, n_rows = (SEEDS, N_ROWS) if is_long else (SEEDS[:1], 20_000)

    measured = [measure(seed, tmp_path, n_rows) for seed in seeds]

    assert all(each["own"]["roc_auc"] == each["scikit_learn"] for each in measured)
    assert 0.95 <= np.mean([each["own"]["roc_auc"] for each in measured]) <= 1
    assert measured[0]["own"]["outliers"] == n_rows // 10
