"""Weighted rankings have the same figures as in scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from app.quality.ranking import average_precision, roc_auc


@pytest.fixture(params=range(20))
def rows(request):
    """Scores with ties, labels and weights."""
    generator = np.random.default_rng(request.param)
    n_rows = int(generator.integers(5, 200))
    scores = generator.integers(0, generator.integers(2, 100), n_rows) / -100
    is_outlier = generator.random(n_rows) < 0.4
    is_outlier[:2] = True, False
    return scores, is_outlier, generator.choice([1.0, 3.5, 1000.0], n_rows)


def by_rank(scores, is_outlier, weights):
    """Sum the weights of either class at each score."""
    rank = np.unique(scores, return_inverse=True)[1]
    return np.bincount(rank, weights * is_outlier), np.bincount(rank, weights * ~is_outlier)


@pytest.mark.parametrize(("figure", "oracle"), [(roc_auc, roc_auc_score), (average_precision, average_precision_score)])
def test_figure_equals_scikit_learn(rows, figure, oracle):
    """With ties, and with very different weights; in scikit-learn, a high score is abnormal."""
    scores, is_outlier, weights = rows

    assert figure(*by_rank(*rows)) == pytest.approx(oracle(is_outlier, -scores, sample_weight=weights), abs=1e-12)


@pytest.mark.parametrize("figure", [roc_auc, average_precision])
def test_several_columns_of_weights_give_several_figures(rows, figure):
    """Each column is a separate draw, and the arguments are not changed; the first rank may be empty."""
    outliers, inliers = (np.concatenate([[0.0], weights]) for weights in by_rank(*rows))
    others = inliers[::-1].copy()

    both = figure(np.stack([outliers, outliers], axis=1), np.stack([inliers, others], axis=1))

    assert both == pytest.approx([figure(outliers, inliers), figure(outliers, others)])
