"""The statistic of a detector, row by row, relative to its threshold."""

from __future__ import annotations

import numpy as np

from app.drift.detector import Kind
from app.drift.monitor import Finding
from training.drift.replay import DetectorReplay
from training.figures.statistic import statistic_figure


def replay_of(ratios, findings=(), drifts=()):
    """Return a replay with these statistics from row 10 on."""
    found = tuple(Finding("cvm", kind, feature, row, 0.0) for kind, feature, row in findings)
    return DetectorReplay(np.array(ratios), found, tuple(drifts), 1.0)


def test_curve_threshold_and_marks_are_at_the_right_places():
    """Signals and events at their rows, and drift shaded from its event to its end."""
    detector = replay_of(
        [0.5, 1.5, 2.0, 2.0, 0.4], [(Kind.ALARM, "mean", 11), (Kind.EVENT, "sd", 12)], drifts=[(12, 13)]
    )

    figure = statistic_figure("cvm", "each feature by itself", detector, first_row=10)

    curve, line, alarms, events = figure.data
    assert curve.x.tolist() == [10, 11, 12, 13, 14]
    assert curve.y.tolist() == [0.5, 1.5, 2.0, 2.0, 0.4]
    assert list(line.y) == [1, 1]
    assert (list(alarms.x), list(alarms.y)) == ([11], [1.5])
    assert (list(events.x), list(events.y)) == ([12], [2.0])
    assert list(curve.text) == ["", "alarm mean", "event sd", "", ""]
    [shade] = figure.layout.shapes
    assert (shade.x0, shade.x1) == (12, 13)


def test_threshold_is_visible_however_large_the_statistic_is():
    """On a logarithmic axis; a statistic of 0 is drawn at the bottom, with its value in the hover text."""
    figure = statistic_figure("mmd", "", replay_of([0.0, 40.0]), first_row=10)

    curve = figure.data[0]
    assert figure.layout.yaxis.type == "log"
    assert curve.y[0] > 0
    assert curve.customdata.tolist() == [0, 40]
    assert statistic_figure("mmd", "", replay_of([0.0, 4.0]), first_row=10).layout.yaxis.type == "linear"


def test_long_curve_keeps_every_peak():
    """Few points are drawn, including the peaks and the rows of signals and events."""
    ratios = np.random.default_rng(1).uniform(0, 0.9, 100_000)
    ratios[[7, 50_000, 99_999]] = 1.5
    detector = replay_of(ratios, [(Kind.EVENT, "", 777)])

    curve = statistic_figure("mmd", "", detector, first_row=100).data[0]

    assert len(curve.x) <= 4001
    assert {107, 777, 50_100, 100_099} <= set(curve.x.tolist())
