"""What the drift detectors of the service would have said of a file of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.drift.drift_watch import DriftWatch, Finding
from app.model.forest import Forest
from training.dataset import Dataset
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
    watch: DriftWatch
    detectors: dict[str, DetectorReplay]


def replay(
    forest: Forest, watch: DriftWatch, data: Dataset, on_progress: Callable[[int], None] = lambda n_done: None
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
