"""The figures of a group of answers, and the reasons where there are too few labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.quality.estimate import METRICS, estimate_quality


def test_figures_of_all_answers(answers):
    """60 of 100 alarms are outliers, and 2,000 outliers are missed."""
    quality = estimate_quality(answers)

    assert tuple(quality) == METRICS
    assert quality["precision"].value == pytest.approx(0.6)
    assert quality["recall"].value == pytest.approx(60 / 2060)
    assert quality["false_negative_rate"].value == pytest.approx(2000 / 2060)
    assert quality["f1"].value == pytest.approx(2 * 60 / (100 + 2060))
    for figure in quality.values():
        assert 0 <= figure.low < figure.value < figure.high <= 1
        assert figure.reason == ""
    assert [figure.n_labels for figure in quality.values()] == [50] + [1050] * 5


def test_false_negative_rate_is_the_complement_of_recall(answers):
    """Its low end corresponds to the high end of recall."""
    quality = estimate_quality(answers)

    assert quality["false_negative_rate"] == quality["recall"].complement()


def test_equal_answers_have_equal_figures(answers):
    """For the same seed, and for any order of the rows."""
    mixed = np.random.default_rng(3).permutation(1000)
    in_other_order = replace(
        answers, audit_scores=answers.audit_scores[mixed], audit_is_outlier=answers.audit_is_outlier[mixed]
    )

    assert estimate_quality(answers) == estimate_quality(answers)
    assert estimate_quality(answers)["recall"].low != estimate_quality(answers, seed=1)["recall"].low
    assert estimate_quality(in_other_order)["roc_auc"].low == pytest.approx(estimate_quality(answers)["roc_auc"].low)


def test_more_labels_give_narrower_intervals(answers, keep):
    """For every figure."""
    few = replace(keep(answers, 50, 1000), audit_is_outlier=np.arange(1000) % 50 == 0)
    more = replace(
        few,
        n_alarms=800,
        n_inliers=800_000,
        **{name: np.tile(array, 8) for name, array in vars(few).items() if isinstance(array, np.ndarray)},
    )

    before, after = estimate_quality(few), estimate_quality(more)

    for name in METRICS:
        assert after[name].high - after[name].low < 0.6 * (before[name].high - before[name].low)


@pytest.mark.parametrize(
    ("n_alarms", "n_audited", "reasons"),
    [
        (0, 0, {"precision": "no alarm has one", "recall": "no alarm has one", "f1": "no alarm has one"}),
        (0, None, {"precision": "no alarm has one", "recall": "no alarm has one", "f1": "no alarm has one"}),
        (None, 0, {"precision": "", "recall": "no audited inlier has one", "roc_auc": "no audited inlier has one"}),
        (31, 40, {"recall": "", "f1": "", "roc_auc": "", "average_precision": ""}),
        (31, 0, {"precision": "", "false_negative_rate": "no audited inlier has one"}),
    ],
)
def test_missing_labels_are_named(answers, keep, n_alarms, n_audited, reasons):
    """A figure that cannot be estimated has the reason; the others are estimated."""
    quality = estimate_quality(keep(answers, n_alarms, n_audited))

    for name, reason in reasons.items():
        assert quality[name].reason == (f"not enough labels: {reason}" if reason else ""), name
        assert (quality[name].value is None) == bool(reason)


@pytest.mark.parametrize("name", ["f1", "roc_auc", "average_precision"])
def test_figures_of_both_classes_need_twenty_labels_of_each(answers, keep, name):
    """19 outliers or 19 inliers are not enough."""
    few_outliers = replace(keep(answers, 0, 1000), n_alarms=0, audit_is_outlier=np.arange(1000) < 19)
    few_inliers = replace(keep(answers, 49, 20), audit_is_outlier=np.ones(20, bool))

    assert estimate_quality(few_outliers)[name].reason == (
        "not enough labels: 19 outliers and 981 inliers have one, and 20 of each are needed"
    )
    assert estimate_quality(few_inliers)[name].reason == (
        "not enough labels: 50 outliers and 19 inliers have one, and 20 of each are needed"
    )
    assert estimate_quality(few_inliers)["recall"].value is not None


def test_without_alarms_nothing_is_caught(answers, keep):
    """There is no precision, but audited outliers were missed for certain."""
    quality = estimate_quality(replace(keep(answers, n_alarms=0), n_alarms=0))

    assert quality["precision"].reason == "not enough labels: there was no alarm"
    assert (quality["recall"].low, quality["recall"].value, quality["recall"].high) == (0, 0, 0)
    assert quality["f1"].value == 0


def test_without_inliers_nothing_is_missed(answers, keep):
    """If all answers are alarms, recall is 1."""
    quality = estimate_quality(replace(keep(answers, n_audited=0), n_inliers=0))

    assert (quality["recall"].low, quality["recall"].value, quality["recall"].high) == (1, 1, 1)
    assert quality["f1"].value == pytest.approx(2 * 0.6 / 1.6)
    assert quality["roc_auc"].value is not None


def test_labels_without_an_outlier_give_no_recall(answers):
    """As far as is known, there was no outlier to catch."""
    none = replace(answers, alarm_is_outlier=np.zeros(50, bool), audit_is_outlier=np.zeros(1000, bool))

    quality = estimate_quality(none)

    assert quality["precision"].value == 0
    assert quality["recall"].reason == "not enough labels: none of them is of an outlier"
    assert quality["false_negative_rate"].reason == quality["recall"].reason


def test_no_answers_give_no_figures(answers, keep):
    """Every figure has the reason."""
    quality = estimate_quality(replace(keep(answers, 0, 0), n_alarms=0, n_inliers=0))

    assert {figure.reason for figure in quality.values()} == {
        "not enough labels: there was no alarm",
        "not enough labels: there was no answer",
    }
