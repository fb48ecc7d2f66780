"""The confidence of a label follows the paper, from a table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from app.model.bundle import read_bundle
from app.model.confidence import LabelConfidence, incomplete_beta


def confidence_by_scipy(training_scores, n_flagged, scores, labels):
    """Compute the formula of the paper with SciPy's distribution."""
    n_rows = len(training_scores)
    n_as_abnormal = np.array([(-training_scores <= -score).sum() for score in scores])
    outlier = 1 - binom.cdf(n_rows - n_flagged, n_rows, (1 + n_as_abnormal) / (2 + n_rows))
    return np.where(labels == -1, outlier, 1 - outlier)


@pytest.mark.parametrize(
    ("n_rows", "n_unique", "n_flagged"),
    [(1, 1, 0), (1, 1, 1), (5, 5, 0), (10, 4, 10), (300, 300, 30), (2000, 40, 1), (64_227, 1673, 61), (5000, 99, 2500)],
)
def test_confidence_is_that_of_the_paper(n_rows, n_unique, n_flagged):
    """For scores below, between, above and equal to the training scores, and either label."""
    generator = np.random.default_rng(n_rows)
    unique = np.unique(generator.uniform(-0.8, -0.3, n_unique))
    training_scores = np.concatenate([unique, generator.choice(unique, n_rows - len(unique))])
    scores = np.concatenate([[-1.0, 0.0], generator.uniform(-0.9, -0.2, 100), generator.choice(unique, 100)])
    labels = generator.choice([-1, 1], len(scores))

    confidence = LabelConfidence(*np.unique(training_scores, return_counts=True), n_flagged)

    expected = confidence_by_scipy(training_scores, n_flagged, scores, labels)
    assert np.allclose(confidence.of_rows(scores, labels), expected, rtol=0, atol=1e-9)
    of_each = [confidence.of_row(score, label) for score, label in zip(scores.tolist(), labels.tolist(), strict=True)]
    assert of_each == confidence.of_rows(scores, labels).tolist()


def test_small_probabilities_are_exact():
    """A tail of 1e-200 has the same leading digits as SciPy's."""
    p = np.array([0.5, 0.9, 0.99])

    assert np.allclose(incomplete_beta(991, 10, p), binom.sf(990, 1000, p), rtol=1e-9, atol=0)


def test_score_that_differs_in_the_last_bit_counts_as_equal():
    """Half of the training rows may share a score, and another processor may round it upwards."""
    confidence = LabelConfidence(np.array([-0.6, -0.4]), np.array([2, 98]), n_flagged=2)

    assert confidence.of_row(np.nextafter(-0.6, 0), -1) == confidence.of_row(-0.6, -1)
    assert confidence.of_row(-0.6, -1) > 0.5 > confidence.of_row(-0.4, -1)


def test_more_flagged_rows_than_rows_are_refused():
    """Such a file was not written by training."""
    with pytest.raises(ValueError, match="3 of 2 rows cannot have been flagged"):
        LabelConfidence(np.array([-0.6, -0.4]), np.array([1, 1]), n_flagged=3)


def test_bundle_knows_the_confidence_of_its_labels(credits_models):
    """Its most and least abnormal training rows are labelled with certainty."""
    bundle = read_bundle(credits_models / "current")

    scores = np.array([-1.0, bundle.forest.offset, 0.0])
    sure, unsure, sure_too = bundle.confidence.of_rows(scores, np.array([-1, 1, 1]))

    assert sure == pytest.approx(1)
    assert 0.2 < unsure < 0.8
    assert sure_too == pytest.approx(1)
