"""What came of a replay, in words and as a table of plain text."""

from __future__ import annotations

from app.drift.detector import Kind
from training.drift_replay import DetectorReplay, Replay

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
