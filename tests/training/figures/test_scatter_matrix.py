"""Scatter matrix: pairs of the features with the widest spread."""

from __future__ import annotations

import numpy as np
import pytest

from training.figures.scatter import MAX_DRAWN_MATRIX_POINTS, choose_widest, scatter_matrix


@pytest.fixture
def eight_features(make_data):
    """Return eight features of increasing width, except the third one, which is constant."""
    rows = np.random.default_rng(1).uniform(size=(3000, 8)) * np.arange(1, 9)
    rows[:, 2] = 5
    return make_data(**{f"f{place}": rows[:, place] for place in range(8)})


def test_widest_features_are_chosen_in_column_order(eight_features):
    """Width is the difference between the largest and the smallest value."""
    assert choose_widest(eight_features) == ("f1", "f3", "f4", "f5", "f6", "f7")


def test_each_pair_is_drawn_once(eight_features):
    """Six features give fifteen plots with the right columns; only the outer axes have names."""
    figure = scatter_matrix({"training": eight_features})

    assert len(figure.data) == 15
    panel = figure.get_subplot(2, 1)
    first = next(trace for trace in figure.data if (trace.xaxis, trace.yaxis) == _axes_of(panel))
    assert len(first.x) == MAX_DRAWN_MATRIX_POINTS
    assert set(first.x) <= set(eight_features.column("f1"))
    assert set(first.y) <= set(eight_features.column("f4"))
    assert (first.x.max(), first.y.max()) == (eight_features.column("f1").max(), eight_features.column("f4").max())
    assert panel.yaxis.title.text == "f4"
    assert figure.get_subplot(5, 1).xaxis.title.text == "f1"
    assert figure.layout.title.text == "The 6 features of the widest range, of 8, by pairs"


def test_plots_of_a_feature_share_its_range(eight_features):
    """Zooming one zooms all."""
    figure = scatter_matrix({"training": eight_features})

    upper, lower = figure.get_subplot(1, 1), figure.get_subplot(5, 1)
    right = figure.get_subplot(5, 4)
    assert upper.xaxis.matches == lower.xaxis.plotly_name.replace("axis", "")
    assert right.yaxis.matches == lower.yaxis.plotly_name.replace("axis", "")


def test_both_sets_are_named_once(make_data):
    """The legend has one entry per set, however many pairs there are."""
    training, test = make_data(a=[1, 2], b=[3, 4], c=[5, 6]), make_data(a=[7], b=[8], c=[9])

    figure = scatter_matrix({"training": training, "test": test})

    assert len(figure.data) == 2 * 3
    assert [trace.name for trace in figure.data if trace.showlegend] == ["training", "test"]


def test_detail_view_applies_to_all_plots_of_a_feature(make_data, heavy_tailed):
    """For the features with heavy tails."""
    even = np.arange(len(heavy_tailed))

    [view] = scatter_matrix({"training": make_data(a=even, b=heavy_tailed, c=even)}).layout.updatemenus

    # b is the y axis of the upper plot and the x axis of the lower right one.
    assert sorted(view.buttons[1].args[1]) == ["xaxis3.autorange", "xaxis3.range", "yaxis.autorange", "yaxis.range"]


def _axes_of(panel):
    """Return the axes of a plot by the names that its points use."""
    return panel.xaxis.plotly_name.replace("axis", ""), panel.yaxis.plotly_name.replace("axis", "")
