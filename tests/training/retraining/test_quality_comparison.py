"""The interval of the difference between two models is as narrow as the labels allow, and no narrower."""

from __future__ import annotations

import numpy as np
import pytest

from training.retraining import quality_comparison
from training.retraining.quality_comparison import CELLS, METRICS, CellCounts, HoldoutRows, compare_quality

N_ROWS = 50_000


def draw_world(
    seed: int, correlation: float, recorded_share: float
) -> tuple[HoldoutRows, CellCounts, dict[str, float]]:
    """Simulate rows, the answers of two models, records and labels; return them with the true differences."""
    generator = np.random.default_rng(seed)
    is_outlier = generator.random(N_ROWS) < 0.01
    abnormality = generator.normal(size=N_ROWS) + 4 * is_outlier
    blurred = correlation * abnormality + np.sqrt(1 - correlation**2) * generator.normal(size=N_ROWS)
    live, candidate = (each > np.quantile(each, 1 - 0.01) for each in (blurred, abnormality))
    audit_share = 0.05
    drawn = generator.random(N_ROWS)
    recorded = live | (drawn < max(recorded_share, audit_share))
    weights = np.where(live, 1.0, 1 / max(recorded_share, audit_share))[recorded]
    cells = (live * 4 + live * 2 + candidate)[recorded]
    sums = [np.bincount(cells, each, 8).astype(float).reshape(CELLS) for each in (weights, weights * (weights - 1))]
    counts = CellCounts(sums[0], sums[1])
    # 40 % of the alarms and half of the audited rows are labelled.
    labelled = generator.random(N_ROWS) < np.where(live, 0.4, 0.5 * (drawn < audit_share))
    holdout = HoldoutRows(
        live[labelled],
        live[labelled],
        candidate[labelled],
        is_outlier[labelled],
        np.where(live, 1.0, 1 / audit_share)[labelled],
    )
    return holdout, counts, {name: of(candidate, is_outlier) - of(live, is_outlier) for name, of in FIGURES.items()}


def precision(flagged: np.ndarray, is_outlier: np.ndarray) -> float:
    """Return the share of flagged rows that are outliers."""
    return float((flagged & is_outlier).sum() / flagged.sum())


def recall(flagged: np.ndarray, is_outlier: np.ndarray) -> float:
    """Return the share of outliers that are flagged."""
    return float((flagged & is_outlier).sum() / is_outlier.sum())


def f1(flagged: np.ndarray, is_outlier: np.ndarray) -> float:
    """Return the harmonic mean of both."""
    return float(2 * (flagged & is_outlier).sum() / (flagged.sum() + is_outlier.sum()))


FIGURES = {"precision": precision, "recall": recall, "f1": f1}


@pytest.mark.parametrize(("correlation", "recorded_share"), [(0.9, 1.0), (0.9, 0.1), (0.99, 1.0)])
def test_interval_contains_the_true_difference(is_long, monkeypatch, correlation, recorded_share):
    """In 93 % of the simulations, whether all rows are recorded or a tenth, and however similar the models are."""
    monkeypatch.setattr(quality_comparison, "_DRAWS", 2000)
    n_worlds = 1000 if is_long else 100
    held = dict.fromkeys(METRICS, 0)
    for seed in range(n_worlds):
        holdout, counts, truth = draw_world(seed, correlation, recorded_share)
        compared = compare_quality(holdout, counts, seed)
        for name, interval in compared.difference.items():
            held[name] += interval.low <= truth[name] <= interval.high
    # With a coverage of 95 %, 86 hits or fewer in 100 occur once in two thousand times.
    assert min(held.values()) >= (0.93 if is_long else 0.87) * n_worlds


def label_rows(n_found: dict[tuple[int, int, int], tuple[int, int]]) -> HoldoutRows:
    """Make labelled rows: for each cell, the number of outliers and of all rows."""
    cells = np.array([cell for cell, (_, n) in n_found.items() for _ in range(n)], bool)
    is_outlier = np.array([place < found for found, n in n_found.values() for place in range(n)], bool)
    return HoldoutRows(cells[:, 0], cells[:, 1], cells[:, 2], is_outlier, np.ones(len(cells)))


def count(n_rows: dict[tuple[int, int, int], float]) -> CellCounts:
    """Make the counts of rows that were all recorded."""
    rows = np.zeros(CELLS)
    for cell, n in n_rows.items():
        rows[cell] = n
    return CellCounts(rows, np.zeros(CELLS))


def test_figures_with_many_labels_equal_those_of_all_rows():
    """They are close to a calculation by hand from the share of each cell."""
    holdout = label_rows({(0, 0, 0): (10, 10_000), (1, 1, 0): (1000, 10_000), (1, 1, 1): (9000, 10_000)})
    counts = count({(0, 0, 0): 100_000, (1, 1, 0): 1000, (1, 1, 1): 1000})

    compared = compare_quality(holdout, counts)

    # 1,000 of 2,000 alarms are right, and 100 outliers are missed; the candidate flags half as many rows.
    assert compared.live["precision"].value == pytest.approx(0.5, abs=0.01)
    assert compared.live["recall"].value == pytest.approx(1000 / 1100, abs=0.02)
    assert compared.candidate["precision"].value == pytest.approx(0.9, abs=0.01)
    assert compared.candidate["recall"].value == pytest.approx(900 / 1100, abs=0.02)
    assert compared.difference["f1"].value == pytest.approx(1800 / 2100 - 2000 / 3100, abs=0.02)


def test_difference_equals_the_difference_of_both_figures():
    """Even if few labels make the distributions skewed."""
    holdout = label_rows({(0, 0, 0): (0, 30), (1, 1, 0): (2, 25), (1, 1, 1): (30, 40)})
    compared = compare_quality(holdout, count({(0, 0, 0): 10_000, (1, 1, 0): 500, (1, 1, 1): 500}))

    for name, difference in compared.difference.items():
        assert difference.value == pytest.approx(compared.candidate[name].value - compared.live[name].value)


def test_unlabelled_rows_give_a_wide_interval():
    """The candidate's new alarms may all be right or all be wrong."""
    holdout = label_rows({(0, 0, 0): (0, 1000), (1, 1, 0): (0, 100), (1, 1, 1): (100, 100)})
    without, with_new_alarms = (
        compare_quality(holdout, count({(0, 0, 0): 10_000, (1, 1, 0): 200, (1, 1, 1): 200, (0, 0, 1): n})).difference[
            "f1"
        ]
        for n in (0, 400)
    )

    assert without.low > 0
    assert with_new_alarms.low < 0 < with_new_alarms.high


def test_equal_models_have_no_difference():
    """Both flag the same rows, so the uncertainty cancels out."""
    holdout = label_rows({(0, 0, 0): (3, 300), (1, 1, 1): (25, 50)})

    difference = compare_quality(holdout, count({(0, 0, 0): 10_000, (1, 1, 1): 100})).difference

    assert {(each.low, each.value, each.high) for each in difference.values()} == {(0, 0, 0)}


@pytest.mark.parametrize(
    "labelled",
    [
        {(0, 0, 0): (0, 100), (1, 1, 1): (19, 100)},
        {(0, 0, 0): (0, 19), (1, 1, 1): (50, 100)},
        {(0, 0, 0): (90, 100), (1, 1, 1): (91, 100)},
    ],
)
def test_too_few_labels_give_no_figures(labelled):
    """20 outliers, 20 inliers and 20 audited rows are needed; the message has the present numbers."""
    compared = compare_quality(label_rows(labelled), count(dict.fromkeys(labelled, 1000.0)))

    assert compared.reason.startswith("not enough labels: ")
    assert not compared.difference
