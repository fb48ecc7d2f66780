"""The gate that decides on an automatic promotion."""

from __future__ import annotations

import numpy as np
import pytest

from training.retraining.promotion_gate import decide_promotion
from training.retraining.quality_comparison import CELLS, CellCounts, Interval, QualityComparison


def quality(low: float, high: float) -> QualityComparison:
    """Return a comparison with this difference of F1."""
    figures = {"f1": Interval((low + high) / 2, low, high)}
    return QualityComparison(100, 100, 50, figures, figures, figures)


def traffic(live: float, candidate: float) -> CellCounts:
    """Return a hundred thousand rows of which each model flags this many."""
    rows = np.zeros(CELLS)
    rows[1, 1, 0], rows[0, 0, 1] = live, candidate
    rows[0, 0, 0] = 100_000 - live - candidate
    return CellCounts(rows, np.zeros(CELLS))


@pytest.mark.parametrize(
    ("low", "live", "candidate", "is_better"),
    [
        (0.01, 1000, 2000, True),
        (0.01, 1000, 2001, False),
        (0.0, 1000, 1000, False),
        (-0.01, 1000, 1000, False),
        (0.01, 0, 100, True),
        (0.01, 0, 101, False),
        (0.01, 1000, 0, True),
    ],
)
def test_clearly_better_candidate_passes(low, live, candidate, is_better):
    """The interval is above 0, and at most twice as many rows, or one in a thousand, are flagged."""
    verdict = decide_promotion(quality(low, 0.2), traffic(live, candidate))

    assert verdict.is_better == is_better


def test_all_reasons_against_a_promotion_are_listed():
    """People who decide by hand need all of them."""
    doubts = decide_promotion(quality(-0.1, 0.2), traffic(1000, 5000)).doubts

    assert doubts == (
        "the 95 % interval of F1's difference, -0.100 to +0.200, is not above 0",
        "the candidate flags 5.000% of the latest rows, more than 2 times as many as the live model's 1.000%",
    )


def test_missing_traffic_or_labels_block_the_promotion():
    """The quality is unknown then."""
    unknown = QualityComparison(1, 0, 1, {}, {}, {}, "not enough labels: 1")

    assert decide_promotion(unknown, CellCounts(np.zeros(CELLS), np.zeros(CELLS))).doubts == (
        "not enough labels: 1",
        "there is no traffic in the latest days to compare on",
    )
