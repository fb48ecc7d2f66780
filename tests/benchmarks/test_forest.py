"""The comparison of forests measures every scorer in every round and computes ratios in the right direction."""

from __future__ import annotations

import numpy as np

from benchmarks.forest import COMPILED, NUMPY, PREDICT, SCORE_SAMPLES, describe, measure


def test_every_scorer_is_measured_in_every_round():
    """One figure per round for single rows and one for the batch."""
    seen = []
    scorers = {name: lambda rows, name=name: seen.append((name, len(rows))) for name in (COMPILED, PREDICT)}

    singles, batches = measure(scorers, np.zeros((3, 2)), np.zeros((7, 2)), rounds=2)

    assert {name: len(figures) for name, figures in singles.items()} == {COMPILED: 2, PREDICT: 2}
    assert all(figure > 0 for figures in (*singles.values(), *batches.values()) for figure in figures)
    order = [name for name, rows in seen if rows == 7]
    assert order == [COMPILED, PREDICT, COMPILED, PREDICT]


def test_ratios_show_how_much_faster_the_compiled_kernel_is():
    """Fewer microseconds and more rows per second are faster."""
    table = describe(
        {COMPILED: [5.0], NUMPY: [50.0], PREDICT: [5000.0], SCORE_SAMPLES: [4000.0]},
        {COMPILED: [1_000_000.0], NUMPY: [100_000.0], PREDICT: [250_000.0], SCORE_SAMPLES: [500_000.0]},
    )

    assert [line.split("|")[3].strip() for line in table.splitlines() if SCORE_SAMPLES in line] == ["800", "2.00"]
