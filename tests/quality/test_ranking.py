"""Rankings of all answers, estimated from the labelled ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from app.quality.ranking import Ranking, average_precision, roc_auc

ORACLES = [(roc_auc, roc_auc_score), (average_precision, average_precision_score)]

# Nothing was audited, for where no answer was an inlier.
NO_AUDIT = {
    "audit_scores": np.array([]),
    "audit_is_outlier": np.array([], dtype=bool),
    "audit_probabilities": np.array([]),
}


def rank(answers):
    """Rank with the same draws each time."""
    return Ranking(answers, np.random.default_rng(0))


@pytest.mark.parametrize(("figure", "oracle"), ORACLES)
def test_labelled_rows_stand_for_all_answers(answers, figure, oracle):
    """A labelled alarm stands for two, an audited inlier for a hundred."""
    value, low, high = rank(answers).estimate(figure)

    labels = np.append(answers.alarm_is_outlier, answers.audit_is_outlier)
    scores = np.append(answers.alarm_scores, answers.audit_scores)
    weights = np.append(np.full(50, 2.0), np.full(1000, 100.0))
    assert value == pytest.approx(oracle(labels, -scores, sample_weight=weights))
    assert low < value < high


@pytest.mark.parametrize(("figure", "oracle"), ORACLES)
def test_merging_neighbouring_scores_changes_little(answers, figure, oracle):
    """The median of the draws for 4,000 labelled alarms equals the figure of all their scores."""
    generator = np.random.default_rng(1)
    scores = generator.uniform(-0.8, -0.5, 4000)
    is_outlier = generator.random(4000) < -scores
    many = replace(answers, n_alarms=100_000, alarm_scores=scores, alarm_is_outlier=is_outlier)
    ranking = rank(many)

    value, low, high = ranking.estimate(figure)

    labels, all_scores = np.append(is_outlier, many.audit_is_outlier), np.append(scores, many.audit_scores)
    weights = np.append(np.full(4000, 25.0), np.full(1000, 100.0))
    assert value == pytest.approx(oracle(labels, -all_scores, sample_weight=weights))
    assert (low + high) / 2 == pytest.approx(value, abs=0.005)


def test_ranking_without_alarms_is_that_of_audited_inliers(answers, keep):
    """No answer was an alarm, so no label of an alarm is missing."""
    value, low, high = rank(replace(keep(answers, n_alarms=0), n_alarms=0)).estimate(roc_auc)

    assert value == pytest.approx(roc_auc_score(answers.audit_is_outlier, -answers.audit_scores))
    assert 0.3 < low < value < high < 0.8


def test_perfect_ranking_is_not_certain(answers):
    """Every alarm is an outlier and none is missed, but the worst possible case is some way off."""
    perfect = replace(answers, alarm_is_outlier=np.ones(50, bool), audit_is_outlier=np.zeros(1000, bool))

    value, low, high = rank(perfect).estimate(roc_auc)

    assert value == high == 1
    assert 0.1 < low < 0.9


def test_scores_that_many_rows_share_are_not_merged(answers):
    """Outliers at one score and inliers at the next are ranked correctly in every draw."""
    halves = np.where(np.arange(50) < 30, -0.7, -0.6)

    value, low, _ = rank(replace(answers, n_inliers=0, **NO_AUDIT, alarm_scores=halves)).estimate(roc_auc)

    assert value == 1
    assert low > 0.8


@pytest.mark.parametrize("are_alarms", [True, False])
@pytest.mark.parametrize("figure", [roc_auc, average_precision])
def test_additional_row_adds_uncertainty(answers, figure, are_alarms):
    """An inlier may rank before all outliers, or an outlier behind all inliers, even if no label shows it."""
    scores = np.linspace(-0.8, -0.5, 50)
    for is_outlier in (scores < -0.65, scores > -0.65):
        if are_alarms:
            one_side = replace(answers, n_inliers=0, **NO_AUDIT, alarm_scores=scores, alarm_is_outlier=is_outlier)
        else:
            one_side = replace(
                answers,
                n_alarms=0,
                alarm_scores=np.array([]),
                alarm_is_outlier=np.array([], dtype=bool),
                audit_scores=scores,
                audit_is_outlier=is_outlier,
                audit_probabilities=np.full(50, 0.01),
            )

        value, low, high = rank(one_side).estimate(figure)

        assert low < value - 0.01 or value < 0.5
        assert high > value + 0.01 or value == 1
