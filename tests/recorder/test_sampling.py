"""Rows are sampled with exactly the probability that is stored with them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from app.recorder.batch import RowSampler

LABELS = np.where(np.arange(40_000) % 4 == 0, -1, 1)


@pytest.mark.parametrize(("share", "audit_share"), [(1.0, 0.02), (0.1, 0.02), (0.01, 0.02), (0.0, 0.0)])
def test_sampling_probabilities_are_those_that_are_stored(share: float, audit_share: float):
    """Outliers always; inliers as often as configured, and at least as often as they are drawn for labelling."""
    chosen = RowSampler(share, audit_share, seed=1).sample(LABELS)
    inliers = LABELS == 1

    assert chosen.are_recorded[~inliers].all()
    assert (chosen.recorded_shares[~inliers] == 1).all()
    assert (chosen.recorded_shares[inliers] == max(share, audit_share)).all()
    n_inliers = int(inliers.sum())
    recorded = binomtest(int(chosen.are_recorded[inliers].sum()), n_inliers, max(share, audit_share))
    audited = binomtest(int(chosen.are_audited.sum()), n_inliers, audit_share)
    assert recorded.pvalue > 0.001
    assert audited.pvalue > 0.001


@pytest.mark.parametrize("share", [0.0, 0.01, 1.0])
def test_only_recorded_inliers_are_drawn_for_labelling(share: float):
    """The values of a row that is handed out must be recorded, and alarms are labelled anyway."""
    chosen = RowSampler(share, 0.05, seed=2).sample(LABELS)

    assert chosen.are_audited.any()
    assert chosen.are_recorded[chosen.are_audited].all()
    assert (LABELS[chosen.are_audited] == 1).all()
