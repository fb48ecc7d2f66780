"""What a person sees on standard error: progress, as a bar in a terminal and else as a line per stage, and refusals.

A command refuses in one line on standard error and with an exit status.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from app.errors import InvalidChoice, IsowatchError, NotPromoted
from training.errors import TrainingError

# What a command refuses with a reason; anything else is a bug and ends with a traceback.
REFUSALS = (TrainingError, IsowatchError)

# There is a new version, but the live one stayed live although the command was to replace it.
NOT_PROMOTED = 3

# A shell reports a process that was ended by a signal as 128 plus the signal's number.
SIGNALLED = 128


def refuse(error: TrainingError | IsowatchError | KeyboardInterrupt) -> int:
    """Print why a command ends, and return its exit status."""
    if isinstance(error, KeyboardInterrupt):
        return print_reason(str(error) or "interrupted; nothing was changed.", SIGNALLED + signal.SIGINT)
    if isinstance(error, TrainingError):
        return print_reason(str(error), error.exit_status)
    return print_reason(str(error), {InvalidChoice: 2, NotPromoted: NOT_PROMOTED}.get(type(error), 1))


def print_reason(reason: str, exit_status: int) -> int:
    """Print a reason on one line, and return the exit status."""
    print(f"training: {' '.join(reason.split())}", file=sys.stderr)
    return exit_status


def warn(sentence: str) -> None:
    """Print what does not end a command, but should be known."""
    print(f"training: {sentence}", file=sys.stderr, flush=True)


def announce(stage: str) -> None:
    """Print which stage starts."""
    print(f"{stage} ...", file=sys.stderr, flush=True)


@contextmanager
def show_calibration() -> Iterator[Callable[[float], None]]:
    """Show the progress of calibrating the drift detectors, if they are calibrated.

    Returns
    -------
    A function to call with the completed share, in [0, 1]. The first call announces the stage; a bar is drawn only in a
    terminal.
    """
    bar: tqdm[None] | None = None

    def show(share: float) -> None:
        nonlocal bar
        if bar is None:
            if not sys.stderr.isatty():
                announce("Calibrating drift detectors")
            bar = tqdm(total=100, desc="Calibrating", unit="%", file=sys.stderr, disable=not sys.stderr.isatty())
        bar.update(int(100 * share) - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


@contextmanager
def show_trees(n_trees: int, *, is_most: bool = False) -> Iterator[Callable[[int], None]]:
    """Show how many of ``n_trees`` trees are fitted, or of at most so many.

    Returns
    -------
    A function to call with the number of fitted trees.
    """
    with _show_count(
        f"Fitting {'up to ' if is_most else ''}{n_trees} trees", total=n_trees, desc="Fitting", unit="tree"
    ) as show:
        yield show


@contextmanager
def show_rows(n_rows: int) -> Iterator[Callable[[int], None]]:
    """Show how many of ``n_rows`` rows are replayed.

    Returns
    -------
    A function to call with the number of replayed rows.
    """
    with _show_count(f"Replaying {n_rows:,} rows", total=n_rows, desc="Replaying", unit="row") as show:
        yield show


@contextmanager
def show_read_rows(stage: str) -> Iterator[Callable[[int], None]]:
    """Show how many rows are read; their total is not known beforehand.

    Parameters
    ----------
    stage
        What they are read for.

    Returns
    -------
    A function to call with the number of rows read so far.
    """
    with _show_count(stage, desc=stage, unit="row", unit_scale=True) as show:
        yield show


@contextmanager
def show_scored(sizes: Sequence[int]) -> Iterator[Callable[[int, float, int], None]]:
    """Show in a terminal how much of tables is scored, how fast, and how long it will still take.

    Parameters
    ----------
    sizes
        How many bytes each table has.

    Returns
    -------
    A function to call with the place of a table, the share of it that is done, and the number of its rows so far.
    """
    rows: dict[int, int] = {}
    with tqdm(
        desc="Scoring", total=sum(sizes), unit="B", unit_scale=True, file=sys.stderr, disable=not sys.stderr.isatty()
    ) as bar:

        def show(place: int, share: float, n_rows: int) -> None:
            rows[place] = n_rows
            bar.set_postfix_str(f"{sum(rows.values()):,} rows", refresh=False)
            bar.update(sum(sizes[:place]) + int(share * sizes[place]) - bar.n)

        yield show


@contextmanager
def _show_count(stage: str, **options: Any) -> Iterator[Callable[[int], None]]:
    """Draw a bar in a terminal; elsewhere announce the stage once."""
    if not sys.stderr.isatty():
        announce(stage)
        yield lambda n_done: None
        return
    with tqdm(file=sys.stderr, **options) as bar:
        yield lambda n_done: bar.update(n_done - bar.n)
