"""Each assumption that does not hold has a warning with its reason."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from app.quality.estimate import Estimate
from app.quality.maturity import Maturity
from app.quality.reviewed_rows import ReviewedRows
from app.quality.warnings import LabelNoise, SampledAlarms, find_warnings, rank_test

UNKNOWN = Estimate.unknown("none", 0)
RECALL = Estimate(0.4, 0.3, 0.5, 100)
YOUNG = Maturity(0.0, "unknown")
FINE = LabelNoise(0.0, UNKNOWN, RECALL, [RECALL])


@pytest.fixture
def warn():
    """Return a function that makes 400 labelled alarms, changes them, and returns the warnings."""
    generator = np.random.default_rng(3)

    def warned(*, maturity=YOUNG, noise=FINE, is_from_queue=False, **changes):
        answered_at = np.linspace(0, 1e5, 400)
        columns = {
            "answered_at": answered_at,
            "model_versions": np.full(400, "v1"),
            "segments": np.full(400, ""),
            "scores": generator.normal(-0.6, 0.05, 400),
            "is_alarm": np.ones(400, bool),
            "is_labelled": np.ones(400, bool),
            "is_outlier": np.arange(400) % 2 == 0,
            "probabilities": np.full(400, np.nan),
            "handed_at": np.full(400, np.nan),
            "labelled_at": answered_at + 60 + np.arange(400) % 7,
        }
        unlabelled = SampledAlarms(np.random.default_rng(4).normal(-0.6, 0.05, 300), np.linspace(0, 1e5, 300))
        rows = ReviewedRows(**columns | {name: change(columns) for name, change in changes.items()})
        return find_warnings(rows, unlabelled, maturity, noise, is_from_queue=is_from_queue)

    return warned


def test_there_is_no_warning_without_a_reason(warn):
    """Labels of any alarms, equally quick."""
    assert warn() == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scores": lambda rows: rows["scores"] - 0.03}, "have other scores than those without a label"),
        ({"answered_at": lambda rows: rows["answered_at"] / 2}, "older or younger than those without a label"),
        (
            {"labelled_at": lambda rows: rows["labelled_at"] + 5 * rows["is_outlier"]},
            "alarms that are outliers take another time",
        ),
        (
            {
                "handed_at": lambda rows: rows["answered_at"],
                "probabilities": lambda rows: np.ones(400),
                "is_labelled": lambda rows: np.arange(400) % 8 > 0,
            },
            "Only 350 of 400 alarms that were handed out have a label",
        ),
        ({"maturity": Maturity(1e5, "estimated", is_capped=True)}, "longer than half of the window"),
        (
            {"noise": LabelNoise(0.0, UNKNOWN, RECALL, [RECALL, Estimate(0.6, 0.5, 1, 9)])},
            "Nobody has checked the labels",
        ),
        ({"noise": LabelNoise(0.0, Estimate(0.02, 0.01, 0.03, 200), RECALL, [])}, "0.01 to 0.03 of labels are wrong"),
    ],
    ids=["scores", "age", "delay", "answered", "maturity", "unchecked", "noise"],
)
def test_each_assumption_has_a_warning(warn, changes, reason):
    """One sentence, with what to do."""
    [warning] = warn(**changes)

    assert reason in warning


def test_known_noise_and_the_queue_end_their_warnings(warn):
    """Other labels do no harm beside those of the queue."""
    assert warn(scores=lambda rows: rows["scores"] - 0.03, is_from_queue=True) == []
    moved = [Estimate(0.6, 0.5, 1, 9)]
    assert warn(noise=LabelNoise(0.02, UNKNOWN, RECALL, moved)) == []
    assert warn(noise=LabelNoise(0.0, Estimate(0.0, 0.0, 0.003, 600), RECALL, moved)) == []


@pytest.mark.parametrize("n_values", [3, 1000])
def test_rank_test_is_that_of_mann_and_whitney(n_values):
    """With and without ties."""
    generator = np.random.default_rng(5)
    one, other = (generator.integers(n_values, size=n).astype(float) for n in (30, 50))
    other += n_values // 8
    expected = mannwhitneyu(one, other, method="asymptotic", use_continuity=False)

    assert rank_test(one, other) == pytest.approx(expected.pvalue)
    assert rank_test(one[:9], other) == rank_test(np.ones(20), np.ones(20)) == 1
