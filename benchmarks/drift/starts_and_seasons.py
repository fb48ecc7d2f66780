"""Measure dependent rows where the dependence is not known yet or changes: at a start, and in seasons of the rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import COUNTS
from app.drift.counts import BLOCK
from app.drift.detector import Kind
from app.model.scoring import ScoredRows as LiveRows
from app.recorder.drift_sample import RowSample
from benchmarks.drift.dependent_rows import CLEAR_CHANGES, ROWS_PER_SECOND, STREAMS, make_watch
from benchmarks.drift.held_out_rows import score
from benchmarks.drift.populations import Trained

# The change comes after so many rows of a start.
_BEFORE = 500

# A short season changes the dependence faster than a day does.
_SEASON_SECONDS = 1200


def tabulate_starts(populations: Mapping[str, NDArray[np.float64]], n_training: int, n_starts: int) -> Iterator[str]:
    """Count starts with an event in the first block, and the rows from a clear change in it to the event."""
    yield "| rows | stream | starts | with a false event | rows to the event: " + " | ".join(CLEAR_CHANGES) + " |"
    yield "|---|---|" + "--:|" * (len(CLEAR_CHANGES) + 2)
    for name, population in populations.items():
        trained = Trained.on(population, n_training, seed=0)
        calibration = trained.calibrate()
        for words, make in STREAMS.items():
            n_false, delays = 0, []
            for seed in range(n_starts):
                watch, source = make_watch(calibration), make(trained.population, np.random.default_rng(seed))
                rows = source(BLOCK, 0)
                findings = watch.update(rows.rows, rows.scores, rows.labels).findings
                n_false += any(finding.kind is Kind.EVENT for finding in findings)
            for change in CLEAR_CHANGES.values():
                before = make(trained.population, np.random.default_rng(0))(3 * BLOCK, 0).rows
                changed = score(trained.forest, np.concatenate([before[:_BEFORE], change(before[_BEFORE:])]))
                findings = make_watch(calibration).update(changed.rows, changed.scores, changed.labels).findings
                events = [each.row - _BEFORE for each in findings if each.kind is Kind.EVENT and each.row > _BEFORE]
                delays.append(f"{min(events):,}" if events else "none")
            yield f"| {name} | {words} | {n_starts} | {n_false} | " + " | ".join(delays) + " |"


def tabulate_seasons(population: NDArray[np.float64], n_training: int) -> Iterator[str]:
    """Run one season with the recorder's sampling: rates of rows rise and fall, but the rows are the same kinds."""
    yield "| rows a second | season | stream | rows seen | factor | false events | `counts`: largest / threshold |"
    yield "|--:|--:|---|--:|--:|--:|--:|"
    trained = Trained.on(population, n_training, seed=0)
    calibration = trained.calibrate()
    for rate in (100, 1000):
        for season in (0.2, 0.5):
            for words in ("independent", "sessions of 10"):
                generator, sample, watch = (
                    np.random.default_rng(1),
                    RowSample(ROWS_PER_SECOND, 2),
                    make_watch(calibration),
                )
                source = STREAMS[words](trained.population, generator)
                factors, findings, highest = [], [], 0.0
                for second in range(_SEASON_SECONDS):
                    now = rate * (1 + season * np.sin(2 * np.pi * second / _SEASON_SECONDS))
                    arrived = source(1 + generator.poisson(now), 0)
                    certain = np.ones(len(arrived))
                    sample.add(LiveRows(arrived.rows.astype(np.float32), arrived.scores, arrived.labels, certain))
                    taken = sample.take()
                    assert taken is not None
                    checks = watch.update(taken.rows, taken.scores, taken.labels)
                    findings += [finding.kind for finding in checks.findings]
                    highest = max([highest, *checks.ratios[COUNTS]])
                    factors += [watch.dependence] if watch.rows_seen >= BLOCK else []
                yield (
                    f"| {rate:,} | ±{season:.0%} | {words} | {watch.rows_seen:,} | "
                    f"{min(factors):.1f} to {max(factors):.1f} | {findings.count(Kind.EVENT)} | {highest:.2f} |"
                )
