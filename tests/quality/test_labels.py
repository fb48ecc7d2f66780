"""Inconsistent values are refused with a reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_alarms": 49}, "n_alarms is 49, but 50 of them have labels; pass the count of all."),
        ({"n_inliers": 999}, "n_inliers is 999, but 1000 of them have labels"),
        ({"alarm_is_outlier": np.ones(50)}, "alarm_is_outlier has type float64 and shape .*; pass bool, shape"),
        ({"audit_is_outlier": np.ones((1000, 1), bool)}, "audit_is_outlier has type bool and shape .1000, 1.; pass"),
        ({"alarm_scores": np.zeros(49)}, "alarm_scores has shape .49,.; pass one for each of alarm_is_outlier"),
        ({"audit_probabilities": np.ones(2)}, "audit_probabilities has shape .2,.; pass one for each of audit_is"),
        ({"audit_scores": np.full(1000, np.nan)}, "audit_scores holds a number that is not finite"),
        ({"audit_probabilities": np.zeros(1000)}, "audit_probabilities holds a number outside .0, 1.; pass"),
        ({"audit_probabilities": np.full(1000, 1.01)}, "audit_probabilities holds a number outside .0, 1.; pass"),
    ],
)
def test_inconsistent_values_are_refused(answers, change, message):
    """The message names the part and says what to do."""
    with pytest.raises(ValueError, match=message):
        replace(answers, **change)
