"""The conclusion says what was found, and no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.data.dataset import Dataset
from training.drift.compare import compare_files, conclude, tabulate_comparison


@pytest.fixture
def compare():
    """Return a function that compares normal features, some of which are shifted."""

    def run(n_rows, shifts, min_effect=0.1):
        generator = np.random.default_rng(1)
        names = tuple(f"f{place}" for place in range(len(shifts)))
        reference, current = generator.normal(size=(2, n_rows, len(shifts)))
        before, after = (
            Dataset(names, rows, Path("rows.csv"), "0" * 64, names) for rows in (reference, current + np.array(shifts))
        )
        return compare_files(before, after, min_effect)

    return run


def test_changed_features_are_listed(compare):
    """The largest distance first, and at most five of them."""
    summary, whole_rows = conclude(compare(1000, [2.0, 3.0, *[1.0] * 5]))

    assert summary.startswith("The rows changed: 7 of 7 features by more than a KS distance of 0.1: f1 (0.8")
    assert summary.count("(") == 5
    assert summary.endswith(" and 2 more.")
    assert whole_rows.startswith("Whole rows: MMD 0.")
    assert "p = 0.001, corrected 0.002 (999 permutations of 1,000 and 1,000 rows)." in whole_rows


def test_no_change_is_reported(compare):
    """Neither in a feature nor in whole rows."""
    summary, whole_rows = conclude(compare(2000, [0.0, 0.0]))

    assert summary == "The rows show no significant change, neither in a feature nor as a whole."
    assert whole_rows.startswith("Whole rows: MMD ")


def test_small_change_is_distinguished_from_none(compare):
    """It is significant but below the minimum effect."""
    comparison = compare(20_000, [0.1, 0.0])

    assert conclude(comparison)[0].startswith(
        "The rows changed little: 1 feature, none by more than a KS distance of 0.1,"
    )
    assert [line.split()[-1] for line in tabulate_comparison(comparison).splitlines()] == ["changed", "little", "no"]


@pytest.mark.parametrize(
    ("p_value", "verdict"),
    [
        (0.024, "The rows changed, although no single feature did significantly"),
        (0.04, "The rows show no significant change, neither in a feature nor as a whole."),
    ],
)
def test_whole_rows_and_features_are_weighed_in_one_sentence(compare, p_value, verdict):
    """Whole rows that differ with p = 0.04 are no change: the features were another chance to find one."""
    comparison = compare(500, [0.0, 0.0])
    comparison = replace(comparison, whole_rows=replace(comparison.whole_rows, p_value=p_value))

    summary, figures, _ = conclude(comparison)

    assert summary.startswith(verdict)
    assert f"p = {p_value:.2g}, corrected {2 * p_value:.2g}" in figures
    assert "differ" not in figures


@pytest.mark.parametrize(
    ("p_value", "verdict"),
    [(0.001, "and whole rows differ, too."), (0.5, "and whole rows show no difference.")],
)
def test_small_change_of_a_feature_is_weighed_with_whole_rows(compare, p_value, verdict):
    """The sentence about the feature has the result for whole rows."""
    comparison = compare(20_000, [0.1, 0.0])

    [summary, *_] = conclude(replace(comparison, whole_rows=replace(comparison.whole_rows, p_value=p_value)))

    assert summary.endswith(verdict)


def test_too_few_rows_for_the_minimum_effect_are_reported(compare):
    """Finding no change is then no evidence that there is none."""
    *_, warning = conclude(compare(100, [0.0]))

    assert warning.startswith(
        "At these numbers of rows a KS distance below about 0.21 cannot be distinguished from chance"
    )
    assert "if a change of 0.1 matters" in warning


def test_table_has_a_line_for_each_feature(compare):
    """The columns are aligned, and no p-value is printed as 0."""
    header, first, second = tabulate_comparison(compare(30_000, [0.0, 9.0])).splitlines()

    assert header.split("  ")[0] == "feature"
    assert first.split()[:4] == ["f1", "1.000", "<1e-300", "<1e-300"]
    assert first.endswith("  yes")
    assert second.startswith("f0 ")
    assert second.endswith("  no")
