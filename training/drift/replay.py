"""What the drift detectors of the service would have said of a file of rows.

What came of a replay, in words and as a table of plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.drift.detector import Kind
from app.drift.monitor import DriftMonitor, Finding
from app.model.forest import Forest
from training.data.dataset import Dataset
from training.errors import BadData

# Scored at once, as in a batch that a client sends.
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class DetectorReplay:
    """What one detector did.

    Parameters
    ----------
    ratios
        Statistic over alarm line after each row from the first full window on, shape ``(n_rows - window + 1,)``:
        above 1 is beyond the line.
    findings
        Alarms and events, in their order.
    drifts
        The first and the last row of each drift, counted from 1: from its event until windows were quiet again, or to
        the end of the file.
    expected_alarms
        How many alarms chance alone makes in a file of this length, on average.
    """

    ratios: NDArray[np.float64]
    findings: tuple[Finding, ...]
    drifts: tuple[tuple[int, int], ...]
    expected_alarms: float


@dataclass(frozen=True)
class Replay:
    """What all detectors did.

    Parameters
    ----------
    data
        The rows, in the order in which they came.
    watch
        The detectors, as they stand after the last row.
    detectors
        By name.
    """

    data: Dataset
    watch: DriftMonitor
    detectors: dict[str, DetectorReplay]


def replay(
    forest: Forest, watch: DriftMonitor, data: Dataset, on_progress: Callable[[int], None] = lambda n_done: None
) -> Replay:
    """Let detectors watch the rows of a file, one after the other.

    Parameters
    ----------
    forest
        Scores and labels the rows.
    watch
        Detectors that have seen no row yet.
    data
        At least as many rows as a window has.
    on_progress
        Called now and then with the number of rows that are done.

    Raises
    ------
    BadData
        If there are too few rows.
    """
    if len(data) < watch.window:
        raise BadData(
            f"{data.path} has {len(data)} rows, the detectors look at windows of {watch.window}; replay a longer file."
        )
    ratios: dict[str, list[float]] = {name: [] for name in watch.detectors}
    are_active: dict[str, list[bool]] = {name: [] for name in watch.detectors}
    findings: list[Finding] = []
    for start in range(0, len(data), _ROWS_AT_ONCE):
        rows = data.rows[start : start + _ROWS_AT_ONCE]
        scores = forest.score(rows)
        labels = forest.label(scores)
        for place in range(len(rows)):
            one = slice(place, place + 1)
            checks = watch.update(rows[one], scores[one], labels[one])
            findings += checks.findings
            for name, is_active in watch.active.items():
                ratios[name] += checks.ratios[name]
                are_active[name].append(is_active)
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
    """Give the first and the last row, counted from 1, of each run of active rows.

    Examples
    --------
    >>> _find_spans(np.array([False, True, True, False, True]))
    ((2, 3), (5, 5))
    """
    changes = np.diff(are_active.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(changes > 0) + 1, np.flatnonzero(changes < 0)
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))


_HEADER = ("detector", "largest ratio", "alarms", "by chance", "events", "first event at row", "rows in drift")


def count(detector: DetectorReplay, kind: Kind) -> int:
    """Count alarms or events."""
    return sum(finding.kind is kind for finding in detector.findings)


def first_event_row(detector: DetectorReplay) -> int | None:
    """Give the row of the first event, counted from 1; None if there was none."""
    return next((finding.row for finding in detector.findings if finding.kind is Kind.EVENT), None)


def rows_in_drift(detector: DetectorReplay) -> int:
    """Count the rows from each event until the drift was over."""
    return sum(last - first + 1 for first, last in detector.drifts)


def describe_detectors(replay: Replay) -> str:
    """Say what the detectors look at, and what they promise."""
    watch, n_windows = replay.watch, replay.watch.confirmation.n_windows
    confirming = (
        "the next window, which has no row in common with its own, is"
        if n_windows == 1
        else f"each of the next {n_windows} windows, which have no row in common, is"
    )
    return (
        f"Windows of {watch.window:,} rows; while nothing changes, an alarm of a detector every "
        f"{watch.expected_run_time:,} rows on average. An alarm becomes an event if {confirming} far from training."
    )


def tabulate_replay(replay: Replay) -> str:
    """Lay out one line a detector, as aligned plain text."""
    lines = [_HEADER, *(_to_cells(name, detector) for name, detector in replay.detectors.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])]) for name, *numbers in lines
    )


def _to_cells(name: str, detector: DetectorReplay) -> tuple[str, ...]:
    """Write a line."""
    first = first_event_row(detector)
    return (
        name,
        f"{detector.ratios.max():.2f}",
        f"{count(detector, Kind.ALARM):,}",
        f"{detector.expected_alarms:.1f}",
        f"{count(detector, Kind.EVENT):,}",
        "-" if first is None else f"{first:,}",
        f"{rows_in_drift(detector):,}",
    )
