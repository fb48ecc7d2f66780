"""Precision, recall and F1 at their limits."""

from __future__ import annotations

import numpy as np

from app.quality.figures import f1_score, precision, recall

NONE, SOME = np.array([0.0]), np.array([4.0])


def test_model_that_flags_nothing_has_no_precision():
    """It raises no false alarm, but finds nothing either."""
    assert precision(NONE, NONE) == 0


def test_nothing_missed_is_full_recall():
    """Even if there was nothing to find."""
    assert recall(NONE, NONE) == recall(SOME, NONE) == 1


def test_f1_is_the_harmonic_mean():
    """Of precision and recall, for every draw."""
    caught, missed, flagged = np.array([1.0, 8.0]), np.array([3.0, 2.0]), np.array([2.0, 10.0])
    p, r = precision(caught, flagged), recall(caught, missed)

    np.testing.assert_allclose(f1_score(caught, missed, flagged), 2 * p * r / (p + r))
