"""Rows that were labelled before the queue reached them do not make misses look more frequent."""

from __future__ import annotations

import numpy as np
import pytest

from app.quality.labels import labelling_probabilities


def test_labelled_audits_stand_for_unlabelled_ones():
    """A row that was labelled before stands only for itself."""
    before = np.array([True, False, False, False, False])
    now = np.array([True, True, False, False, False])

    assert labelling_probabilities(np.full(5, 0.01), before, now).tolist() == pytest.approx([0.01, 0.0025])


def test_share_of_misses_is_not_biased_by_complaints():
    """Half of the misses were reported before; a third of the other rows that were handed out got a label."""
    generator = np.random.default_rng(0)
    is_miss = generator.random(200_000) < 0.1
    before = is_miss & (generator.random(len(is_miss)) < 0.5)
    now = before | (generator.random(len(is_miss)) < 1 / 3)

    weights = 1 / labelling_probabilities(np.full(len(is_miss), 0.001), before, now)

    assert np.average(is_miss[now], weights=weights) == pytest.approx(0.1, abs=0.003)
    assert is_miss[now].mean() > 0.17


@pytest.mark.parametrize("is_before", [True, False])
def test_nothing_is_divided_by_zero(is_before):
    """If all rows had labels before, or none got one."""
    before = np.full(3, is_before)

    assert labelling_probabilities(np.full(3, 0.5), before, before).tolist() == [0.5] * (3 * is_before)
