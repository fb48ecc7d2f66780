"""Replay a file of rows through the drift detectors of the service, and describe the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.drift.detector import Kind
from app.drift.monitor import DriftMonitor, Finding
from app.errors import count_of
from app.model.forest import Forest
from training.data.dataset import Dataset
from training.errors import BadData

# Rows scored at a time, like a batch from a client.
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class DetectorReplay:
    """The result of one detector.

    Parameters
    ----------
    ratios
        Statistic divided by threshold after each row from the first full window on, shape ``(n_rows - window + 1,)``;
        for ``counts``, that of the last block, and 0 before the first.
    findings
        Drift signals and drift events, in order.
    drifts
        First and last row of each drift, counted from 1: from its event until windows are below the threshold again, or
        to the end of the file.
    expected_signals
        Average number of signals by chance in a file of this length.
    """

    ratios: NDArray[np.float64]
    findings: tuple[Finding, ...]
    drifts: tuple[tuple[int, int], ...]
    expected_signals: float


@dataclass(frozen=True)
class Replay:
    """The results of all detectors.

    Parameters
    ----------
    data
        The rows, in order of arrival.
    watch
        The detectors, in their state after the last row.
    detectors
        Results by detector name.
    """

    data: Dataset
    watch: DriftMonitor
    detectors: dict[str, DetectorReplay]


def replay(
    forest: Forest, watch: DriftMonitor, data: Dataset, on_progress: Callable[[int], None] = lambda n_done: None
) -> Replay:
    """Feed the rows of a file to the detectors, one at a time.

    Parameters
    ----------
    forest
        The forest that scores and labels the rows.
    watch
        Detectors that have seen no row yet.
    data
        The rows; at least one window of them.
    on_progress
        Called regularly with the number of processed rows.

    Raises
    ------
    BadData
        If there are too few rows.
    """
    if len(data) < watch.window:
        raise BadData(
            f"{data.path} has {count_of(len(data), 'row')}, but a window has {watch.window}; replay a longer file."
        )
    ratios: dict[str, list[float]] = {name: [] for name in watch.detectors}
    are_active: dict[str, list[bool]] = {name: [] for name in watch.detectors}
    findings: list[Finding] = []
    for start in range(0, len(data), _ROWS_AT_ONCE):
        rows = data.rows[start : start + _ROWS_AT_ONCE]
        scores, labels = forest.score_and_label(rows)
        for place in range(len(rows)):
            one = slice(place, place + 1)
            checks = watch.update(rows[one], scores[one], labels[one])
            findings += checks.findings
            for name, is_active in watch.active.items():
                are_active[name].append(is_active)
                if watch.fill == 1:
                    # Between two blocks, `counts` compares nothing.
                    ratios[name].append((checks.ratios[name] or ratios[name][-1:] or [0.0])[0])
        on_progress(start + len(rows))
    n_checked = len(data) - watch.window + 1
    return Replay(
        data,
        watch,
        {
            name: DetectorReplay(
                np.array(ratios[name]),
                tuple(finding for finding in findings if finding.detector == name),
                _find_spans(np.array(are_active[name])),
                n_checked / watch.run_times[name],
            )
            for name in watch.detectors
        },
    )


def _find_spans(are_active: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Return the first and the last row, counted from 1, of each run of active rows.

    Examples
    --------
    >>> _find_spans(np.array([False, True, True, False, True]))
    ((2, 3), (5, 5))
    """
    changes = np.diff(are_active.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(changes > 0) + 1, np.flatnonzero(changes < 0)
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))


_HEADER = ("detector", "largest ratio", "signals", "by chance", "events", "first event at row", "rows in drift")


def count(detector: DetectorReplay, kind: Kind) -> int:
    """Count signals or events."""
    return sum(finding.kind is kind for finding in detector.findings)


def first_event_row(detector: DetectorReplay) -> int | None:
    """Return the row of the first event, counted from 1; None without events."""
    return next((finding.row for finding in detector.findings if finding.kind is Kind.EVENT), None)


def rows_in_drift(detector: DetectorReplay) -> int:
    """Count the rows in drifts, from each event until the drift is over."""
    return sum(last - first + 1 for first, last in detector.drifts)


def describe_detectors(replay: Replay) -> str:
    """Describe the windows of the detectors, and how often they signal by chance."""
    watch, n_windows = replay.watch, replay.watch.confirmation.n_windows
    confirming = (
        "the next window, which has no row in common with its own, is"
        if n_windows == 1
        else f"each of the next {n_windows} windows, which have no row in common, is"
    )
    return (
        f"Windows of {watch.window:,} rows; without drift, a detector signals every {watch.expected_run_time:,} rows "
        f"on average. A signal becomes an event if {confirming} far from training."
    )


def tabulate_replay(replay: Replay) -> str:
    """Format one line per detector as aligned plain text."""
    lines = [_HEADER, *(_to_cells(name, detector) for name, detector in replay.detectors.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])]) for name, *numbers in lines
    )


def _to_cells(name: str, detector: DetectorReplay) -> tuple[str, ...]:
    """Format the cells of a line."""
    first = first_event_row(detector)
    return (
        name,
        f"{detector.ratios.max():.2f}",
        f"{count(detector, Kind.ALARM):,}",
        f"{detector.expected_signals:.1f}",
        f"{count(detector, Kind.EVENT):,}",
        "-" if first is None else f"{first:,}",
        f"{rows_in_drift(detector):,}",
    )
