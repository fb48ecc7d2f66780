"""Bars of the bins of the stability index."""

from __future__ import annotations

import numpy as np

from training.drift.psi import Stability
from training.figures.histogram import stability_figure


def test_bars_are_the_shares_of_each_bin():
    """One bar per file and bin; a frequent value has its own bin, so that its move is visible."""
    reference = np.repeat([1.0, 2.0, 3.0], [50, 900, 50])
    stability = Stability.of(reference, np.where(reference == 2, np.nextafter(2, 3), reference)[:500])

    figure = stability_figure("amount", stability)

    before, after = figure.data
    assert (before.name, after.name) == ("reference", "current")
    assert list(figure.layout.xaxis.ticktext) == ["below 2", "2", "above 2"]
    assert before.y.tolist() == [0.05, 0.9, 0.05]
    assert after.y.tolist() == [0.1, 0, 0.9]
    assert before.customdata[1].tolist() == ["2", 900]
    assert figure.layout.title.subtitle.text == f"PSI {stability.index:.3g}, threshold {stability.threshold:.3g}"
