"""Holm's correction equals a closed test of all groups of hypotheses."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.drift.compare import correct_by_holm


def correct_by_closed_testing(p_values: list[float]) -> list[float]:
    """Correct p-values by Bonferroni tests of every group of hypotheses that contains each one."""
    places = range(len(p_values))
    groups = [group for size in range(1, len(p_values) + 1) for group in combinations(places, size)]
    bonferroni = {group: min(1.0, len(group) * min(p_values[place] for place in group)) for group in groups}
    return [max(bonferroni[group] for group in groups if place in group) for place in places]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_correction_is_closed_testing_with_bonferroni(p_values):
    """Holm's procedure is derived from it; equal p-values stay equal."""
    corrected = correct_by_holm(np.array(p_values))

    assert np.allclose(corrected, correct_by_closed_testing(p_values), rtol=1e-12, atol=0)


def test_one_test_needs_no_correction():
    """Its p-value is unchanged."""
    assert correct_by_holm(np.array([0.2])).tolist() == [0.2]
