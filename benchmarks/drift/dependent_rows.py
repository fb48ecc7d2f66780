"""Streams without drift whose rows depend on each other: rows sent several times, and sessions of similar rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.drift.run_lengths import Source
from training.drift.simulate import ScoredRows

# Kinds of rows: groups of nearby ones.
_KINDS, _ROUNDS = 5, 15


def find_kinds(rows: NDArray[np.float64], seed: int = 0) -> NDArray[np.int64]:
    """Return the kind of each row, 0 to 4, by k-means on scaled rows."""
    generator = np.random.default_rng(seed)
    scaled = np.arcsinh((rows - np.median(rows, axis=0)) / (0.2 * rows.std(axis=0)))
    centres = scaled[generator.choice(len(scaled), _KINDS, replace=False)]
    kinds = np.zeros(len(rows), np.int64)
    for _ in range(_ROUNDS):
        kinds = ((scaled[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        centres = np.array([scaled[kinds == kind].mean(axis=0) for kind in np.unique(kinds)])
    return kinds


def send_repeatedly(rows: ScoredRows, times: int, generator: np.random.Generator) -> Source:
    """Return a stream in which each row is sent several times in a row."""

    def draw(n_rows: int, first: int) -> ScoredRows:
        return rows.take(np.repeat(generator.integers(0, len(rows), n_rows // times + 1), times)[:n_rows])

    return draw


def send_sessions(rows: ScoredRows, length: int, generator: np.random.Generator) -> Source:
    """Return a stream of sessions, each of different rows of one kind."""
    kinds = find_kinds(rows.rows)
    members = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    sizes = np.array([len(each) for each in members])
    together = np.concatenate(members)
    begins = np.cumsum(sizes) - sizes

    def draw(n_rows: int, first: int) -> ScoredRows:
        kind = generator.choice(len(sizes), n_rows // length + 1, p=sizes / sizes.sum())
        chosen = begins[kind, None] + generator.integers(0, sizes[kind, None], (len(kind), length))
        return rows.take(together[chosen.ravel()[:n_rows]])

    return draw


def sample_each_second(source: Source, rows_per_second: float, most: int, generator: np.random.Generator) -> Source:
    """Return what the recorder passes on of a stream: of each second's rows a sample, in the order of their arrival."""
    if rows_per_second <= most:
        return source

    def draw(n_rows: int, first: int) -> ScoredRows:
        parts = []
        for _ in range(0, n_rows, most):
            n_arrived = int(rows_per_second)
            chosen = np.sort(generator.choice(n_arrived, most, replace=False))
            parts.append(source(n_arrived, first).take(chosen))
        return ScoredRows(
            *(np.concatenate([getattr(part, name) for part in parts])[:n_rows] for name in ("rows", "scores", "labels"))
        )

    return draw
