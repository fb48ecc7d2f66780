"""Measure explanations and print the tables of README.md: ``python -m benchmarks.explanations``.

The times of shap are measured where it is installed; README.md has the command.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.forest import INLIER, OUTLIER
from app.model.quantiles import ColumnQuantiles
from benchmarks.explanations.models import Explained, fit, read_rows

# Half of them near one point, half near another, so that most rows are ordinary and some between.
_DISTANCE = 4.0

# Rows of each measured set.
_TRAINING_ROWS, _HELD_OUT_ROWS, _PLANTED_ROWS = 20_000, 5_000, 1_000

# Rows of a timed batch: larger ones take as long per row, and a few tenths of a second are rarely interrupted.
_BATCH_ROWS = 500

# Distance of a planted value, in standard deviations.
_PLANTED_AT = 6.0

# Values of each column that the search for the best change of two tries: all pairs of them.
_GRID = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explanations", description=__doc__, allow_abbrev=False)
    parser.add_argument("--trainings", type=int, default=200, help="trainings for the p-values (%(default)s)")
    parser.add_argument("--forests", type=int, default=20, help="forests with planted anomalies (%(default)s)")
    parser.add_argument("--sample", type=Path, help="a CSV file of numbers to measure as well")
    options = parser.parse_args(arguments)
    sample = None if options.sample is None else read_rows(options.sample)
    sections = (
        _time(sample),
        _plant(options.forests),
        _count_low_p_values(options.trainings, sample),
        _check_changes(),
        _compare_changes_of_two(),
    )
    for lines in sections:
        print()
        for line in lines:
            print(line, flush=True)
    return 0


def _mixture(random: np.random.Generator, n_rows: int, n_features: int) -> NDArray[np.float64]:
    """Draw rows of a mixture of two normal distributions."""
    rows: NDArray[np.float64] = random.normal(size=(n_rows, n_features))
    return rows + _DISTANCE * random.integers(2, size=(n_rows, 1))


def _time(sample: NDArray[np.float64] | None) -> Iterator[str]:
    """Tabulate times in us: a row alone, a row of a batch, both with shap, and the slowest counterfactual."""
    yield "| rows | nodes | one row | shap | ratio | in a batch | shap | ratio | counterfactual |"
    yield "|---|" + "--:|" * 8
    random = np.random.default_rng(0)
    sets = {f"normal, {n}": random.normal(size=(_TRAINING_ROWS, n)) for n in (2, 10, 30, 50)}
    if sample is not None:
        sets = {f"sample, {sample.shape[1]}": sample} | sets
    for name, drawn in sets.items():
        model = fit(drawn, 0, contamination=0.02)
        some = np.resize(model.rows, (_BATCH_ROWS, model.rows.shape[1]))
        shap_values = _shap_values(model)
        cells: list[float | None] = []
        for rows, turns in ((model.rows[:1], 70), (some, 3)):
            calls = [partial(model.explainer.contributions, rows)]
            if shap_values is not None:
                calls.append(partial(shap_values, rows))
            shortest = [each / len(rows) for each in _shortest(calls, turns)]
            cells += shortest if shap_values is not None else [*shortest, None]
            cells.append(None if shap_values is None else shortest[1] / shortest[0] * 1e-6)
        outliers = model.rows[model.bundle.forest.score_and_label(model.rows)[1] == OUTLIER][:100]
        find = model.explainer.counterfactuals.change_one
        slowest = max(_shortest([partial(find, row)], 5)[0] for row in outliers)
        texts = ["-" if cell is None else f"{1e6 * cell:.1f}" for cell in [*cells, slowest]]
        yield f"| {name} | {len(model.bundle.forest.arrays.feature):,} | " + " | ".join(texts) + " |"


def _shap_values(model: Explained) -> Callable[[Any], Any] | None:
    """Return shap's function, or None where it is not installed."""
    try:
        import shap  # type: ignore[import-not-found]
    except ImportError:
        return None
    explainer = shap.TreeExplainer(model.estimator, feature_perturbation="tree_path_dependent")
    return explainer.shap_values  # type: ignore[no-any-return]


def _shortest(calls: Sequence[Callable[[], object]], turns: int) -> list[float]:
    """Call in turns, and return the shortest duration of each in seconds: what else the machine does only adds.

    In a turn, each is called three times, because the first time the cache still has what the other needed.
    """
    shortest = [float("inf")] * len(calls)
    for _ in range(turns):
        for number, call in enumerate(calls):
            for _ in range(3):
                start = time.perf_counter()
                call()
                shortest[number] = min(shortest[number], time.perf_counter() - start)
    return shortest


def _plant(n_forests: int) -> Iterator[str]:
    """Tabulate how often the planted column has the largest contribution, and is among the three reasons."""
    yield "| columns | training rows | first | among the first three | lowest share of first in a forest |"
    yield "|--:|---|--:|--:|--:|"
    for n_features in (2, 10, 50):
        for called, share in (("ordinary", 0.0), ("1 % planted", 0.01)):
            firsts, threes = [], []
            for seed in range(n_forests):
                random = np.random.default_rng(seed)
                training = random.normal(size=(4000, n_features))
                _plant_in(random, training[: int(share * len(training))])
                model = fit(training, seed)
                planted = random.normal(size=(_PLANTED_ROWS, n_features))
                columns = _plant_in(random, planted)
                order = np.argsort(-model.explainer.contributions(planted.astype(np.float32)), axis=1)
                firsts.append(float((order[:, 0] == columns).mean()))
                threes.append(float((order[:, :3] == columns[:, None]).any(axis=1).mean()))
            cells = f"{np.mean(firsts):.1%} | {np.mean(threes):.1%} | {min(firsts):.1%}"
            yield f"| {n_features} | {called} | {cells} |"


def _plant_in(random: np.random.Generator, rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Set one column of each row to an extreme value, and return its number, shape ``(n_rows,)``."""
    columns = random.integers(rows.shape[1], size=len(rows))
    rows[np.arange(len(rows)), columns] = _PLANTED_AT * random.choice([-1.0, 1.0], len(rows))
    return columns


def _count_low_p_values(n_trainings: int, sample: NDArray[np.float64] | None) -> Iterator[str]:
    """Tabulate the share of held-out rows whose p-value is at most 0.01, on average over trainings."""
    yield "| rows | training rows | share with p <= 0.01 | standard error |"
    yield "|---|--:|--:|--:|"
    for n_rows in (1000, 10_000, 64_227):
        shares = []
        for seed in range(n_trainings):
            drawn = _mixture(np.random.default_rng(seed), n_rows + _HELD_OUT_ROWS, 10)
            shares.append(_share_of_low_p_values(fit(drawn[:n_rows], seed), drawn[n_rows:]))
        yield f"| mixture, 10 | {n_rows:,} | {np.mean(shares):.5f} | {np.std(shares) / n_trainings**0.5:.5f} |"
    if sample is None:
        return
    shares = []
    for seed in range(n_trainings):
        shuffled = np.random.default_rng(seed).permutation(sample)
        shares.append(_share_of_low_p_values(fit(shuffled[_HELD_OUT_ROWS:], seed), shuffled[:_HELD_OUT_ROWS]))
    n_rows = len(sample) - _HELD_OUT_ROWS
    yield f"| sample | {n_rows:,} | {np.mean(shares):.5f} | {np.std(shares) / n_trainings**0.5:.5f} |"


def _share_of_low_p_values(model: Explained, held_out: NDArray[np.float64]) -> float:
    """Return the share of rows whose p-value is at most 0.01."""
    scores = model.bundle.forest.score(held_out).tolist()
    return float(np.mean([p_value <= 0.01 for score in scores if (p_value := model.explainer.p_value(score))]))


def _check_changes() -> Iterator[str]:
    """Tabulate how many changes there are for 10,000 outliers, and how many make an inlier."""
    yield "| columns | outliers | one column suffices | two columns found | none | changed rows that are inliers |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for n_features in (1, 2, 10, 30):
        model = fit(_mixture(np.random.default_rng(1), 25_000, n_features), 1, contamination=0.1)
        scores, labels = model.bundle.forest.score_and_label(model.rows)
        outliers = np.flatnonzero(labels == OUTLIER)[:2500]
        changed, kinds = [], Counter[str]()
        for at in outliers:
            row = model.rows[at].tolist()
            explained = model.explainer.explain(row, float(scores[at]))
            if explained.counterfactual is None:
                kinds["none"] += 1
                continue
            kinds["two" if explained.is_approximate else "one"] += 1
            for name, change in explained.counterfactual.items():
                row[int(name[1:]) - 1] = change["to"]
            changed.append(row)
        valid = int((model.bundle.forest.score_and_label(changed)[1] == INLIER).sum()) if changed else 0
        cells = " | ".join(str(kinds[kind]) for kind in ("one", "two", "none"))
        yield f"| {n_features} | {len(outliers):,} | {cells} | {valid:,} of {len(changed):,} |"


def _compare_changes_of_two() -> Iterator[str]:
    """Tabulate how much farther changes of two columns are than the best of a grid, on small forests."""
    yield "| columns | rows | found | valid | median ratio to the best | 95 % | largest |"
    yield "|--:|--:|--:|--:|--:|--:|--:|"
    for n_features in (2, 3, 4):
        ratios, n_rows, n_found, n_valid = [], 0, 0, 0
        for seed in range(10):
            random = np.random.default_rng(seed)
            model = fit(random.normal(size=(1000, n_features)), seed, contamination=0.2, n_trees=20, max_samples=64)
            rows = _PLANTED_AT * random.choice([-1.0, 1.0], (10, n_features)).astype(np.float32)
            rows[:, 2:] = 0
            for row in rows:
                if model.explainer.counterfactuals.change_one(row) is not None:
                    continue
                best = _best_of_two(model, row)
                if best is None:
                    continue
                n_rows += 1
                found = model.explainer.counterfactuals.change_two(row)
                if found is None:
                    continue
                n_found += 1
                changed = row.copy()
                changed[list(found.values)] = list(found.values.values())
                n_valid += int(model.bundle.forest.score_and_label(changed[None])[1][0] == INLIER)
                ratios.append(found.distance / best)
        cells = " | ".join(f"{np.quantile(ratios, level):.3f}" for level in (0.5, 0.95, 1)) if ratios else "- | - | -"
        yield f"| {n_features} | {n_rows} | {n_found} | {n_valid} | {cells} |"


def _best_of_two(model: Explained, row: NDArray[np.float32]) -> float | None:
    """Return the smallest distance of all pairs of values on a grid that give an inlier, or None."""
    best = None
    columns = [column for column in model.explainer.columns if isinstance(column, ColumnQuantiles)]
    grids = [np.append(np.quantile(model.rows[:, i], np.linspace(0, 1, _GRID)), row[i]) for i in range(len(row))]
    distances = [
        np.abs(column.positions(grid) - column.position(float(value)))
        for column, grid, value in zip(columns, grids, row, strict=True)
    ]
    for first in range(len(row)):
        for second in range(first):
            one, two = (part.ravel() for part in np.meshgrid(grids[first], grids[second], indexing="ij"))
            changed = np.repeat(row[None], len(one), axis=0)
            changed[:, first], changed[:, second] = one, two
            total = np.add.outer(distances[first], distances[second]).ravel()
            inliers = total[model.bundle.forest.score_and_label(changed)[1] == INLIER]
            if inliers.size and (best is None or inliers.min() < best):
                best = float(inliers.min())
    return best


if __name__ == "__main__":
    sys.exit(main())
