"""Compute the tables of ``README.md``, in Markdown."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence

import numpy as np

from app.drift.calibration import CVM, DETECTORS, MMD, SCORE
from app.drift.detector import Confirmation, plan_confirmation
from app.drift.monitor import DriftMonitor
from benchmarks.drift.changes import CHANGES, Change
from benchmarks.drift.false_events import count_events, measure_windows
from benchmarks.drift.held_out_rows import Draw, score
from benchmarks.drift.run_lengths import Source, draw_from, measure_event, measure_runs, repeat_from
from training.drift.calibrate import ScoredRows

# Expected run time and window; the last pair is the default.
SETTINGS = ((300, 10), (300, 50), (5000, 100))

_DEFAULT = SETTINGS[-1]

# Repeated rows are measured with these.
_CONTINUOUS = (MMD, CVM, SCORE)

# The service's default settings.
_ROWS_PER_SECOND, _FALSE_ALARM_DAYS = 100, 30

# Rows between the numbers of the first rows of two streams; no stream is longer.
_APART = 10**7

_FEATURES = ("first", "second")


def tabulate_promise(draws: Sequence[Draw], n_runs: int) -> Iterator[str]:
    """Compare mean run lengths with the expected run time."""
    yield "| ERT, window | detector | mean run / ERT | of each draw | runs |"
    yield "|---|---|--:|---|--:|"
    for run_time, window in SETTINGS:
        calibrations = [draw.calibrate(run_time, window) for draw in draws]
        means: dict[str, list[float]] = {name: [] for name in DETECTORS}
        for seed, (draw, calibration) in enumerate(zip(draws, calibrations, strict=True)):
            source = draw_from(score(draw.forest, draw.held_out), np.random.default_rng(seed))
            lengths = [measure_runs(calibration, source, start=run * _APART) for run in range(n_runs)]
            for name in DETECTORS:
                means[name].append(float(np.mean([each[name] for each in lengths])) / run_time)
        for name, ratios in means.items():
            each_draw = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            yield (
                f"| {run_time:,}, {window} | `{name}` | **{np.mean(ratios):.2f}** | {each_draw} | "
                f"{n_runs * len(draws):,} |"
            )


def tabulate_delays(draws: Sequence[Draw], n_runs: int) -> Iterator[str]:
    """Count the rows from a change to the first signal, and with the default settings to the first event."""
    yield (
        "| change | ERT, window | " + " | ".join(f"`{name}`" for name in DETECTORS) + " | first event of any detector |"
    )
    yield "|---|---|" + "--:|" * (len(DETECTORS) + 1)
    for run_time, window in SETTINGS[1:]:
        calibrations = [draw.calibrate(run_time, window) for draw in draws]
        for name, change in CHANGES.items():
            delays: dict[str, list[int]] = {detector: [] for detector in DETECTORS}
            events = []
            for seed, (draw, calibration) in enumerate(zip(draws, calibrations, strict=True)):
                generator = np.random.default_rng(seed)
                skipped = 5 * window
                for _ in range(n_runs):
                    source = _change_after(draw, change, skipped, generator)
                    for detector, rows in measure_runs(calibration, source, skipped_rows=skipped).items():
                        delays[detector].append(rows)
                if (run_time, window) == _DEFAULT:
                    watch = DriftMonitor(calibration, _FEATURES, _ROWS_PER_SECOND, _FALSE_ALARM_DAYS)
                    events.append(
                        measure_event(watch, _change_after(draw, change, skipped, generator), skipped, 20 * run_time)
                    )
            medians = " | ".join(f"{np.median(rows):,.0f}" for rows in delays.values())
            yield f"| {name} | {run_time:,}, {window} | {medians} | {f'{np.median(events):,.0f}' if events else ''} |"


def tabulate_repetition(draws: Sequence[Draw], n_runs: int) -> Iterator[str]:
    """Compare run lengths with the expected run time for dependent rows, for which nothing is promised."""
    yield (
        "| probability that a row repeats the previous one | " + " | ".join(f"`{name}`" for name in _CONTINUOUS) + " |"
    )
    yield "|---|" + "--:|" * len(_CONTINUOUS)
    run_time, window = SETTINGS[1]
    calibrations = [draw.calibrate(run_time, window) for draw in draws]
    for share in (0.1, 0.25, 0.5):
        lengths: list[dict[str, int]] = []
        for seed, (draw, calibration) in enumerate(zip(draws, calibrations, strict=True)):
            generator, held_out = np.random.default_rng(seed), score(draw.forest, draw.held_out)
            source = repeat_from(held_out, generator, share)
            lengths += [measure_runs(calibration, source, _CONTINUOUS) for _ in range(n_runs)]
        ratios = " | ".join(f"{np.mean([each[name] for each in lengths]) / run_time:.2f}" for name in _CONTINUOUS)
        yield f"| {share} | {ratios} |"


def tabulate_events(draws: Sequence[Draw], n_windows: int, n_rows: int) -> Iterator[str]:
    """Show how often windows confirm each other, and how often events occur, while nothing changes."""
    run_time, window = _DEFAULT
    plan = plan_confirmation(run_time, _ROWS_PER_SECOND, _FALSE_ALARM_DAYS, len(DETECTORS))
    yield (
        f"{_FALSE_ALARM_DAYS} days at {_ROWS_PER_SECOND} rows a second: {plan.n_windows} windows above a threshold "
        f"that an undrifted window exceeds with a probability of at most {plan.share:.4f}."
    )
    yield ""
    yield "| detector | share of undrifted windows above it | after such a window | windows |"
    yield "|---|--:|--:|--:|"
    calibrations = [draw.calibrate(run_time, window) for draw in draws]
    found = []
    for seed, (draw, calibration) in enumerate(zip(draws, calibrations, strict=True)):
        source = draw_from(score(draw.forest, draw.held_out), np.random.default_rng(seed))
        found.append(measure_windows(calibration, plan, source, n_windows))
    for name in DETECTORS:
        shares = [each[name] for each in found]
        beyond, after = (
            np.mean([each.beyond for each in shares]),
            np.nanmean([each.beyond_after_one for each in shares]),
        )
        each_draw = ", ".join(f"{each.beyond:.3f}" for each in shares)
        yield f"| `{name}` | {beyond:.4f} ({each_draw}) | {after:.4f} | {n_windows * len(draws):,} |"
    yield ""
    yield from _tabulate_promised_events(draws, n_rows)


def _tabulate_promised_events(draws: Sequence[Draw], n_rows: int) -> Iterator[str]:
    """Count events where so many are allowed that a short stream has some."""
    yield "| promise: at most one false event in | windows | rows | drift signals | events promised at most | events |"
    yield "|---|--:|--:|--:|--:|--:|"
    run_time, window = SETTINGS[1]
    calibrations = [draw.calibrate(run_time, window) for draw in draws]
    for rows_per_event in (2_000, 20_000, 100_000):
        days = rows_per_event / _ROWS_PER_SECOND / 86_400
        signals = events = 0
        plan: Confirmation | None = None
        for seed, (draw, calibration) in enumerate(zip(draws, calibrations, strict=True)):
            watch = DriftMonitor(calibration, _FEATURES, _ROWS_PER_SECOND, days)
            plan = watch.confirmation
            source = draw_from(score(draw.forest, draw.held_out), np.random.default_rng(seed))
            more_signals, more_events = count_events(watch, source, n_rows)
            signals, events = signals + more_signals, events + more_events
        watched = n_rows * len(draws)
        yield (
            f"| {rows_per_event:,} rows | {plan.n_windows if plan else 0} | {watched:,} | {signals:,} | "
            f"{watched / rows_per_event:,.0f} | {events:,} |"
        )


def tabulate_cost(draw: Draw) -> Iterator[str]:
    """Measure the CPU time of the default settings, row by row and in batches."""
    run_time, window = _DEFAULT
    started = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    calibration = draw.calibrate(run_time, window)
    seconds, grown = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    watch = DriftMonitor(calibration, _FEATURES, _ROWS_PER_SECOND, _FALSE_ALARM_DAYS)
    rows = draw_from(score(draw.forest, draw.held_out), np.random.default_rng(0))(4000, 0)
    yield "| | |"
    yield "|---|--:|"
    for at_once in (1, 10, 100):
        costs = [_time_row(watch, rows, at_once) for _ in range(5)]
        yield f"| rows at a time: {at_once} | {np.median(costs):.1f} us a row ({min(costs):.1f} at best) |"
    yield f"| calibration | {seconds:.1f} s |"
    yield f"| memory that calibration adds to training | {grown / 1024:.0f} MiB |"


def _time_row(watch: DriftMonitor, rows: ScoredRows, at_once: int) -> float:
    """Measure the CPU time of a pass over the rows, in microseconds per row; wall time would include other programs."""
    started = time.process_time()
    for i in range(0, len(rows), at_once):
        part = slice(i, i + at_once)
        watch.update(rows.rows[part], rows.scores[part], rows.labels[part])
    return 1e6 * (time.process_time() - started) / len(rows)


def _change_after(draw: Draw, change: Change, skipped: int, generator: np.random.Generator) -> Source:
    """Return a stream that changes after ``skipped`` rows."""

    def take(n_rows: int, first: int) -> ScoredRows:
        rows = draw.held_out[generator.integers(0, len(draw.held_out), n_rows)]
        n_before = min(max(skipped - first, 0), n_rows)
        changed = change(rows[n_before:], max(first - skipped, 0), generator)
        return score(draw.forest, np.vstack([rows[:n_before], changed]))

    return take
