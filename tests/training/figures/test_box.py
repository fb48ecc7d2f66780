"""Box plots show the figures of all rows and some of the values outside the fences."""

from __future__ import annotations

import numpy as np

from training.data.summary import find_fences
from training.figures.box import MAX_DRAWN_VALUES, box_figure


def test_box_is_drawn_from_its_figures(make_data, heavy_tailed):
    """Quartiles, whiskers and fences are those of all rows; the values outside are drawn and counted."""
    figure = box_figure(make_data(amount=heavy_tailed), "amount")

    box, fences, outside = figure.data
    found = find_fences(heavy_tailed)
    assert (box.q1[0], box.median[0], box.q3[0]) == (found.lower_quartile, found.median, found.upper_quartile)
    assert (box.lowerfence[0], box.upperfence[0]) == (found.low_whisker, found.high_whisker)
    assert list(fences.x) == [found.low, found.high]
    assert fences.text[1] == f"{found.n_above:,} rows above"
    assert set(outside.x) == set(heavy_tailed[(heavy_tailed < found.low) | (heavy_tailed > found.high)])
    assert figure.layout.title.subtitle.text.startswith(f"outside the fences: {found.n_outside} training rows (")


def test_test_data_have_a_box_below(make_data):
    """On the same axis."""
    figure = box_figure(make_data(amount=[1, 2, 3]), "amount", make_data(amount=[4, 5, 6]))

    boxes = [trace for trace in figure.data if trace.type == "box"]
    assert [(box.name, box.median[0]) for box in boxes] == [("training", 2), ("test", 5)]
    assert "0 training rows (0.00%), 0 test rows (0.00%)" in figure.layout.title.subtitle.text


def test_many_values_outside_are_thinned(make_data):
    """The most extreme value is kept."""
    values = np.concatenate([np.zeros(30_000), np.arange(1, 10_000)])

    outside = box_figure(make_data(amount=values), "amount").data[2]

    assert len(outside.x) <= MAX_DRAWN_VALUES
    assert (outside.x[0], outside.x[-1]) == (1, 9999)


def test_detail_view_shows_the_range_between_the_fences(make_data, heavy_tailed):
    """It is offered if there are values outside."""
    [view] = box_figure(make_data(amount=heavy_tailed), "amount").layout.updatemenus
    low, high = view.buttons[1].args[1]["xaxis.range"]
    found = find_fences(heavy_tailed)

    assert low < found.low < found.high < high
    assert high - low < 20
    assert not box_figure(make_data(amount=[1, 2, 3]), "amount").layout.updatemenus
