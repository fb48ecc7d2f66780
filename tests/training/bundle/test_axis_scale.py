"""Axis scales of the boundary plot cover all values, and heavy tails get a non-linear scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from app.model.schema import LARGEST_NUMBER
from training.bundle.boundary import AxisScale

NUMBERS = st.floats(-LARGEST_NUMBER, LARGEST_NUMBER, width=32)


@given(st.lists(NUMBERS, min_size=1, max_size=50))
def test_axis_covers_any_values(values: list[float]):
    """All values are between the ends, which fit into a float32; the grid spans the axis, ticks are inside it."""
    scale = AxisScale.of(np.array(values))
    places = scale.forward(values)
    start, end = scale.forward([scale.low, scale.high])

    assert -LARGEST_NUMBER <= scale.low < scale.high <= LARGEST_NUMBER
    assert (places >= start).all()
    assert (places <= end).all()
    assert (np.diff(scale.grid(5)) > 0).all()
    assert (scale.grid(5)[0], scale.grid(5)[-1]) == pytest.approx((scale.low, scale.high))
    assert 1 <= len(scale.ticks()) <= 7
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks())


def test_normal_values_get_a_linear_axis():
    """Even if there are many values."""
    scale = AxisScale.of(np.random.default_rng(1).normal(size=100_000))

    assert scale.is_straight
    assert scale.describe("mean") == "mean"


def test_heavy_tail_does_not_squeeze_the_bulk():
    """The middle 90 % of the rows get a good part of the axis, instead of a hundredth on a linear axis."""
    values = np.random.default_rng(1).lognormal(sigma=2.5, size=10_000)
    scale = AxisScale.of(values)
    start, end = scale.forward([scale.low, scale.high])
    bulk = np.subtract(*scale.forward(np.quantile(values, [0.95, 0.05])))

    assert np.subtract(*np.quantile(values, [0.95, 0.05])) / (values.max() - values.min()) < 0.01
    assert bulk / (end - start) > 0.2
    distances = np.diff(scale.forward(scale.grid(9)))
    assert np.allclose(distances, (end - start) / 8)
    assert scale.describe("mean") == f"mean (logarithmic away from its median, {np.median(values):.3g})"


def test_constant_is_in_the_middle_of_its_axis():
    """The axis has a positive length even if no value varies."""
    assert AxisScale.of(np.full(3, 7.0)).forward([7.0]) == pytest.approx(7)
    low, high = (getattr(AxisScale.of(np.zeros(3)), end) for end in ("low", "high"))
    assert low == -high < 0


@pytest.mark.parametrize("which", ["x", "y"])
def test_plot_uses_the_scale(which):
    """The plot has the ends, the ticks and the transformation of the scale."""
    scale = AxisScale.of(np.array([*range(99), 1e6]))
    axes = Figure().add_subplot()

    scale.apply(axes, which)

    assert getattr(axes, f"get_{which}scale")() == "function"
    assert getattr(axes, f"get_{which}lim")() == (scale.low, scale.high)
    assert getattr(axes, f"get_{which}ticks")().tolist() == scale.ticks()
    # At the first and the last tick, the plot places values as the scale does.
    places = axes.transData.transform([scale.ticks()[i] * np.ones(2) for i in (0, 1, 2)])
    if which == "x":
        drawn, meant = np.diff(places[:, 0]), np.diff(scale.forward(scale.ticks()[:3]))
        assert drawn[0] / drawn[1] == pytest.approx(meant[0] / meant[1])
