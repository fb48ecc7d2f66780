"""Scatter plots: rows as points."""

from __future__ import annotations

import numpy as np

from training.figures.scatter import MAX_DRAWN_POINTS, scatter_figure


def test_first_feature_is_x_and_second_is_y(make_data):
    """Equal rows are one point, whose hover text has their number and the first row."""
    figure = scatter_figure(make_data(mean=[1, 5, 1], sd=[2, 6, 2]))

    [points] = figure.data
    assert list(points.x) == [1, 5]
    assert list(points.y) == [2, 6]
    assert points.text == ("row 1, occurs 2 times", "row 2, occurs once")
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("mean", "sd")
    assert figure.layout.title.subtitle.text == "all rows are drawn; equal rows are one point"


def test_test_data_are_drawn_over_the_training_data(make_data):
    """In another colour and shape."""
    figure = scatter_figure(make_data(mean=[1], sd=[2]), make_data(mean=[3], sd=[4]))

    training, test = figure.data
    assert (training.name, list(training.x), test.name, list(test.x)) == ("training", [1], "test", [3])
    assert training.marker.color != test.marker.color
    assert training.marker.symbol != test.marker.symbol


def test_many_points_are_thinned_and_the_figure_says_so(make_data):
    """Extreme rows are kept."""
    rows = np.random.default_rng(1).normal(size=(30_000, 2))
    rows[777] = [100, -100]

    figure = scatter_figure(make_data(mean=rows[:, 0], sd=rows[:, 1]))

    [points] = figure.data
    assert len(points.x) == MAX_DRAWN_POINTS
    assert (points.x.max(), points.y.min()) == (100, -100)
    assert figure.layout.title.subtitle.text.endswith("(8,000 of 30,000)")


def test_one_feature_is_drawn_over_the_row_number(make_data):
    """Equal values in different rows are different points."""
    figure = scatter_figure(make_data(mean=[7, 7, 8]))

    [points] = figure.data
    assert list(points.x) == [1, 2, 3]
    assert list(points.y) == [7, 7, 8]
    assert figure.layout.xaxis.title.text == "row"


def test_heavy_tails_get_a_detail_view(make_data, heavy_tailed):
    """Only of the axes that have heavy tails."""
    data = make_data(mean=heavy_tailed, sd=np.arange(len(heavy_tailed)))

    [view] = scatter_figure(data).layout.updatemenus

    closer = view.buttons[1].args[1]
    assert sorted(closer) == ["xaxis.autorange", "xaxis.range"]
    assert -4 < closer["xaxis.range"][0] < closer["xaxis.range"][1] < 4
    assert not scatter_figure(make_data(mean=[1, 2], sd=[3, 4])).layout.updatemenus


def test_names_are_drawn_as_plain_text(make_data):
    """Even if a column is named like markup or a placeholder."""
    figure = scatter_figure(make_data(**{"<b>%{x}": [1], "sd": [2]}))

    assert figure.layout.xaxis.title.text == "&lt;b&gt;%\u200b{x}"
    assert "<b>" not in figure.data[0].hovertemplate
