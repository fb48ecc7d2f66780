"""Labelled answers for the tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.quality.labels import LabelledAnswers


@pytest.fixture
def answers():
    """100 alarms, 50 labelled and 30 of these outliers; 1,000 of 100,000 inliers audited, 20 of them outliers."""
    generator = np.random.default_rng(0)
    return LabelledAnswers(
        n_alarms=100,
        n_inliers=100_000,
        alarm_scores=generator.uniform(-0.8, -0.5, 50),
        alarm_is_outlier=np.arange(50) < 30,
        audit_scores=generator.uniform(-0.5, -0.3, 1000),
        audit_is_outlier=np.arange(1000) < 20,
        audit_probabilities=np.full(1000, 0.01),
    )


@pytest.fixture
def keep():
    """Keep only the first labels of alarms and of audited inliers."""

    def keep_only(answers, n_alarms=None, n_audited=None):
        return replace(
            answers,
            alarm_scores=answers.alarm_scores[:n_alarms],
            alarm_is_outlier=answers.alarm_is_outlier[:n_alarms],
            audit_scores=answers.audit_scores[:n_audited],
            audit_is_outlier=answers.audit_is_outlier[:n_audited],
            audit_probabilities=answers.audit_probabilities[:n_audited],
        )

    return keep_only
