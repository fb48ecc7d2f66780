"""Rows that were labelled before the queue came to them do not make misses look frequent."""

from __future__ import annotations

import numpy as np
import pytest

from app.quality.labels import labelling_probabilities


def test_answered_rows_stand_for_those_asked_in_vain():
    """A row that was labelled before stands only for itself."""
    before = np.array([True, False, False, False, False])
    now = np.array([True, True, False, False, False])

    assert labelling_probabilities(np.full(5, 0.01), before, now).tolist() == pytest.approx([0.01, 0.0025])


def test_share_of_misses_is_not_biased_by_complaints():
    """Half of the misses were complained about before, a third of the other rows that were asked for was answered."""
    generator = np.random.default_rng(0)
    is_miss = generator.random(200_000) < 0.1
    before = is_miss & (generator.random(len(is_miss)) < 0.5)
    now = before | (generator.random(len(is_miss)) < 1 / 3)

    weights = 1 / labelling_probabilities(np.full(len(is_miss), 0.001), before, now)

    assert np.average(is_miss[now], weights=weights) == pytest.approx(0.1, abs=0.003)
    assert is_miss[now].mean() > 0.17


@pytest.mark.parametrize("is_before", [True, False])
def test_without_any_row_that_was_asked_or_answered_nothing_is_divided_by_zero(is_before):
    """All had labels, or none was answered."""
    before = np.full(3, is_before)

    assert labelling_probabilities(np.full(3, 0.5), before, before).tolist() == [0.5] * (3 * is_before)
