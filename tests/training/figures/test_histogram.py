"""Histograms: 20 bins that contain every row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.figures.histogram import N_BINS, find_edges, histogram_figure

FLOAT32 = st.floats(-3.4e38, 3.4e38)


@given(FLOAT32, FLOAT32)
@example(1.0, np.nextafter(1.0, 2.0))
@example(3.0, 3.0)
@example(-3.4e38, 3.4e38)
@example(1e38, 1e38)
@example(0.0, 5e-324)
def test_edges_ascend_and_enclose_the_range(one, other):
    """For any two numbers, so that NumPy can count in these bins."""
    low, high = sorted((one, other))

    edges = find_edges(low, high)

    assert edges.shape == (N_BINS + 1,)
    assert (np.diff(edges) > 0).all()
    assert edges[0] <= low <= high <= edges[-1]
    assert np.histogram([low, high], edges)[0].sum() == 2


def test_every_row_is_counted(make_data):
    """The bars equal NumPy's histogram and add up to the number of rows."""
    values = np.random.default_rng(1).uniform(size=5000)

    [bars] = histogram_figure(make_data(amount=values), "amount").data

    counts, edges = np.histogram(values, 20)
    assert np.array_equal(bars.y, counts)
    assert bars.y.sum() == 5000
    assert bars.x == pytest.approx(edges[:-1])
    assert bars.width == pytest.approx(np.diff(edges))


def test_test_data_are_drawn_beside_the_training_data(make_data):
    """In the same bins over the range of both, as shares of each set's number of rows."""
    training, test = make_data(amount=np.arange(100)), make_data(amount=np.arange(0, 200, 20))

    figure = histogram_figure(training, "amount", test)

    of_training, of_test = (bars for bars in figure.data if bars.visible)
    assert (of_training.name, of_test.name) == ("training", "test")
    assert of_training.y.sum() == pytest.approx(1)
    assert of_test.y.sum() == pytest.approx(1)
    assert np.array_equal(of_training.customdata[:, :2], of_test.customdata[:, :2])
    assert of_test.customdata[-1, 1] == 180
    assert of_test.x == pytest.approx(of_training.x + of_training.width)
    assert of_test.customdata[:, 2].sum() == 10


def test_heavy_tails_get_a_logarithmic_axis_and_a_detail_view(make_data, heavy_tailed):
    """To show both the few extreme rows and the distribution of the others."""
    figure = histogram_figure(make_data(amount=heavy_tailed), "amount")

    everything, middle = figure.data
    assert figure.layout.yaxis.type == "log"
    assert (everything.visible, middle.visible) == (True, False)
    assert everything.y.sum() == 1003
    assert np.count_nonzero(everything.y) == 4
    assert np.count_nonzero(middle.y) == N_BINS
    scale, view = figure.layout.updatemenus
    assert [button.label for button in scale.buttons] == ["Linear", "Log"]
    assert scale.active == 1
    assert [button.args[0]["visible"] for button in view.buttons] == [[True, False], [False, True]]


def test_even_data_get_a_linear_axis_and_one_view(make_data):
    """No detail view is needed."""
    figure = histogram_figure(make_data(amount=np.arange(100)), "amount")

    assert figure.layout.yaxis.type == "linear"
    assert len(figure.data) == len(figure.layout.updatemenus) == 1


def test_constant_is_one_bar(make_data):
    """On a linear axis, because there is no smaller bar to show."""
    figure = histogram_figure(make_data(amount=[3.0] * 9), "amount")

    assert sorted(figure.data[0].y)[-2:] == [0, 9]
    assert figure.layout.yaxis.type == "linear"
