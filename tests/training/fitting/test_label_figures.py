"""Label figures follow their definitions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.fitting.evaluate import FIGURE_TITLES, Evaluation, compare_with_labels

# Few distinct scores, so that ties are common.
ROWS = st.lists(st.tuples(st.sampled_from([-0.8, -0.7, -0.6, -0.5]), st.booleans()), min_size=2, max_size=6)


def compare(rows: list[tuple[float, bool]], threshold: float = -0.65) -> dict[str, float | int | None]:
    """Compute the label figures of rows with these scores and true labels."""
    scores, truth = (np.array(column) for column in zip(*rows, strict=True))
    return compare_with_labels(Evaluation(scores, np.where(scores < threshold, -1, 1)), truth)


@given(ROWS.filter(lambda rows: len({truth for _, truth in rows}) == 2))
def test_figures_follow_their_definitions(rows):
    """Compared with counts of correctly ordered pairs, correctly flagged rows and outliers among the most abnormal."""
    figures = compare(rows)

    outliers = [score for score, truth in rows if truth]
    inliers = [score for score, truth in rows if not truth]
    pairs = [(outlier < inlier) + (outlier == inlier) / 2 for outlier in outliers for inlier in inliers]
    flagged = [truth for score, truth in rows if score < -0.65]
    precision = np.mean(flagged) if flagged else 0
    recall = sum(flagged) / len(outliers)
    # The average over all orders of rows with equal scores.
    orders = (sorted(order, key=lambda row: row[0]) for order in permutations(rows))
    at_n = np.mean([np.mean([truth for _, truth in order[: len(outliers)]]) for order in orders])
    assert figures["outliers"] == len(outliers)
    assert figures["roc_auc"] == pytest.approx(np.mean(pairs))
    assert (figures["precision"], figures["recall"]) == pytest.approx((precision, recall))
    assert figures["f1"] == pytest.approx(2 * precision * recall / (precision + recall) if flagged.count(True) else 0)
    assert figures["precision_at_n"] == pytest.approx(at_n)


def test_average_precision_is_the_mean_over_the_outliers():
    """The mean share of outliers among the rows down to each outlier."""
    rows = [(-0.9, True), (-0.8, False), (-0.7, True), (-0.6, False)]

    assert compare(rows)["average_precision"] == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("truth", [True, False])
def test_one_class_gives_no_figures(truth):
    """No order can be evaluated; the counts show why."""
    figures = compare([(-0.9, truth), (-0.4, truth)])

    assert figures == dict.fromkeys(FIGURE_TITLES) | {"outliers": 2 * truth}
