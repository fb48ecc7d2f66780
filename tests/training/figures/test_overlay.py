"""Overlaid histograms: shares of each file in the same bins."""

from __future__ import annotations

import numpy as np
import pytest

from training.figures.histogram import overlay_figure


def test_both_files_are_drawn_in_the_same_bins(make_data):
    """Overlaid, as shares of each file's number of rows, over the range of both."""
    reference, current = make_data(amount=np.arange(100)), make_data(amount=np.arange(0, 200, 20))

    figure = overlay_figure(reference, current, "amount", "moved")

    of_reference, of_current = figure.data
    assert (of_reference.name, of_current.name) == ("reference", "current")
    assert of_reference.y.sum() == pytest.approx(1)
    assert of_current.y.sum() == pytest.approx(1)
    assert np.array_equal(of_reference.x, of_current.x)
    assert np.array_equal(of_reference.width, of_current.width)
    assert figure.layout.barmode == "overlay"
    assert of_current.opacity < 1
    assert of_reference.marker.color != of_current.marker.color
    assert figure.layout.title.subtitle.text == "moved"


def test_detail_view_contains_the_middle_of_both(make_data, heavy_tailed):
    """Even if one is shifted."""
    reference, current = make_data(amount=heavy_tailed), make_data(amount=heavy_tailed + 20)

    figure = overlay_figure(reference, current, "amount")

    assert [trace.visible for trace in figure.data] == [True, True, False, False]
    for middle in figure.data[2:]:
        assert middle.x[0] < -1
        assert middle.x[-1] + middle.width[-1] > 21
        assert middle.y.sum() > 0.97
    assert [button.label for button in figure.layout.updatemenus[1].buttons] == ["All rows", "Middle 98 %"]
