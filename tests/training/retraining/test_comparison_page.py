"""The comparison page shows the result and the rows on which the models differ."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from app.records.reading import Period
from training.figures.model_comparison import daily_shares_figure, intervals_figure, score_spread_figure
from training.retraining.comparison import ModelComparison, conclude, tabulate_quality
from training.retraining.comparison_page import compose_comparison_page
from training.retraining.promotion_gate import decide_promotion
from training.retraining.quality_comparison import METRICS, Interval, QualityComparison
from training.retraining.traffic_comparison import Difference, Traffic, TrafficComparison
from training.retraining.training_records import RecordCounts, describe_records

VERSION = "20260102T000000Z-bbbbbbbb"


@pytest.fixture
def comparison() -> ModelComparison:
    """Return a comparison with a better candidate of twelve features, one of which is named like a tag."""
    latest = Traffic(n_recorded=1000)
    latest.cells[0, 0, 0], latest.cells[1, 1, 0], latest.cells[1, 1, 1] = 960, 20, 20
    latest.days = {20_000: np.array([400, 20, 10]), 20_001: np.array([600, 20, 10])}
    latest.scores[:, 40:50] = 100
    features = np.arange(12, dtype=np.float32)
    latest.differences[False].append(Difference("ab" * 16, 3, 20_000 * 86_400.0, features, -0.7, -0.4, 0.4, False))
    figures = dict.fromkeys(METRICS, Interval(0.5, 0.25, 0.75))
    quality = QualityComparison(100, 200, 50, figures, figures, figures)
    period = Period(0, 20_002 * 86_400.0)
    return ModelComparison(
        "credits 20260101T000000Z-aaaaaaaa",
        ("<visits>", *(f"feature {number}" for number in range(11))),
        (-0.6, -0.6),
        describe_records(period, RecordCounts(5000, 10, 20, 2000, 2970, 1485, 0.5, 7, 7)),
        period,
        quality,
        TrafficComparison(latest.counts, latest, period.until - 7 * 86_400),
        decide_promotion(quality, latest.counts),
    )


def test_page_shows_the_result(comparison):
    """The decision, figures with intervals, traffic, records, and how to promote."""
    page = compose_comparison_page(comparison, VERSION)

    assert f"<h1>{VERSION} against credits 20260101T000000Z-aaaaaaaa</h1>" in page
    assert "<p>The candidate is significantly better than the live model.</p>" in page
    for sentence in conclude(comparison):
        assert f"<p>{sentence}</p>" in page
    assert f"python -m training promote {VERSION}" in page
    assert page.count("<td>0.500 (0.250 to 0.750)</td>") == 6
    assert page.count("<td>+0.500 (+0.250 to +0.750)</td>") == 3
    assert "<td>20 (2.000%)</td>" in page
    assert "with probability 0.5, however it was recorded" in page
    assert re.search(r"of these, left out when trees are grown</th>\s*<td>7</td>", page)
    drawn = re.findall(r'role="group" aria-label="(.*?)"', page)
    assert drawn == ["Quality of both models", "Difference", "Outliers day by day", "Scores"]


def test_differing_rows_are_listed(comparison):
    """With both scores and the true labels; at most ten features are shown, whatever their names are."""
    page = compose_comparison_page(comparison, VERSION)

    assert re.search(rf"<th>{'ab' * 16}</th>\s*<td>3</td>\s*<td>2024-10-04T00:00:00\.000Z</td>\s*<td>-0.7</td>", page)
    assert "<td>inlier</td>" in page
    assert "<th>&lt;visits&gt;</th>" in page
    assert "<visits>" not in page
    assert "<th>feature 8</th>" in page
    assert "<th>feature 9</th>" not in page
    assert "<th>and 2 more</th>" in page
    assert "<p>None.</p>" in page


def test_page_without_labels_and_traffic_says_so(comparison):
    """It has no empty figures."""
    unknown = QualityComparison(1, 0, 1, {}, {}, {}, "not enough labels: 1")
    empty = TrafficComparison(Traffic().counts, Traffic(), 0.0)
    nothing = replace(
        comparison, quality=unknown, traffic=empty, decision=decide_promotion(unknown, empty.latest.counts)
    )

    page = compose_comparison_page(nothing, VERSION)

    assert "No figures: not enough labels: 1." in page
    assert "No row was answered since 1970-01-01T00:00:00.000Z." in page
    assert "The candidate is not significantly better: not enough labels: 1; there is no traffic" in page
    assert tabulate_quality(nothing) == ""
    assert nothing.as_figures()["latest"]["agreement"] is None


def test_figures_match_the_table(comparison):
    """The ends of each interval, and the share of each day."""
    [bar] = intervals_figure("Difference", "", {"difference": {"F1": (0.5, 0.25, 1.0)}}, "difference").data
    assert (bar.x, bar.error_x.array, bar.error_x.arrayminus) == ((0.5,), (0.5,), (0.25,))
    live, candidate = daily_shares_figure(["1", "2"], {"live": [0.1, 0.2], "candidate": [0.3, 0.4]}, [10, 20]).data
    assert (live.y, candidate.y, live.name) == ((0.1, 0.2), (0.3, 0.4), "live")
    counts = np.array([[0, 3, 1, 0], [0, 1, 1, 0]])
    spread = score_spread_figure(np.linspace(-1, 0, 5), counts, (-0.6, -0.5))
    assert [bars.y.tolist() for bars in spread.data] == [[0.75, 0.25], [0.5, 0.5]]
    assert [line.x0 for line in spread.layout.shapes] == [-0.6, -0.5]
