"""Out-of-bag scores that cannot be those of a training are refused when a bundle is loaded."""

from __future__ import annotations

import io

import numpy as np
import pytest

from app.model.out_of_bag import read_out_of_bag_scores


@pytest.mark.parametrize(
    ("scores", "counts", "message"),
    [
        ([-0.6, -0.5], [100], "2 out_of_bag_scores and 1 out_of_bag_counts"),
        ([], [], "0 out_of_bag_scores"),
        (np.linspace(-1, 0, 20_001), np.ones(20_001), "20001 out_of_bag_scores"),
        ([-0.5, -0.6], [100, 100], "not ascending"),
        ([-0.5, -0.5], [100, 100], "not ascending"),
        ([-1.5, -0.5], [100, 100], "not ascending"),
        ([-0.6, np.nan], [100, 100], "not ascending"),
        ([-0.6, -0.5], [200, 0], "count 200 rows"),
        ([-0.6, -0.5], [100, 99], "count 199 rows, at least 200"),
        ([-0.6, -0.5], [2**62, 2**62], "count 9.22337e\\+18 rows"),
    ],
)
def test_wrong_scores_are_refused(scores, counts, message):
    """Lengths, order, range and counts; the message names the array."""
    file = io.BytesIO()
    np.savez(file, out_of_bag_scores=np.array(scores, np.float64), out_of_bag_counts=np.array(counts, np.int64))
    with pytest.raises(ValueError, match=message):
        read_out_of_bag_scores(file)


def test_scores_are_read_as_they_were_written():
    """The valid file that those above differ from."""
    file = io.BytesIO()
    np.savez(file, out_of_bag_scores=np.array([-0.6, -0.5]), out_of_bag_counts=np.array([100, 100]))
    read = read_out_of_bag_scores(file)
    assert (read.scores.tolist(), read.counts.tolist()) == ([-0.6, -0.5], [100, 100])
