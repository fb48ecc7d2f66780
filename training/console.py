"""What a person sees on standard error while training runs: a bar in a terminal, elsewhere a line a stage.

How the command line says no: one line on standard error, and an exit status.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from app.errors import IsowatchError
from training.errors import TrainingError

# What a command refuses with a reason; anything else is a fault of ours and ends with a traceback.
REFUSALS = (TrainingError, IsowatchError)

# What a shell reports of a process that a signal ended: 128 plus the signal's number.
SIGNALLED = 128


def refuse(error: TrainingError | IsowatchError | KeyboardInterrupt) -> int:
    """Say why a command ends, and give its exit status."""
    if isinstance(error, KeyboardInterrupt):
        return say(str(error) or "interrupted; nothing was changed.", SIGNALLED + signal.SIGINT)
    return say(str(error), error.exit_status if isinstance(error, TrainingError) else 1)


def say(reason: str, exit_status: int) -> int:
    """Say a reason in one line, and give back the exit status."""
    print(f"training: {' '.join(reason.split())}", file=sys.stderr)
    return exit_status


def announce(stage: str) -> None:
    """Say which stage begins."""
    print(f"{stage} ...", file=sys.stderr, flush=True)


@contextmanager
def show_calibration() -> Iterator[Callable[[float], None]]:
    """Show how far the calibration of the drift detectors is, if there is one.

    Returns
    -------
    To be called with the part that is done, in [0, 1]; says which stage it is the first time, draws only in a terminal.
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
def show_trees(n_trees: int) -> Iterator[Callable[[int], None]]:
    """Show how many trees stand.

    Parameters
    ----------
    n_trees
        How many there will be.

    Returns
    -------
    To be called with the number of trees that stand; draws only in a terminal.
    """
    if not sys.stderr.isatty():
        announce(f"Fitting {n_trees} trees")
        yield lambda n_fitted: None
        return
    with tqdm(total=n_trees, desc="Fitting", unit="tree", file=sys.stderr) as bar:
        yield lambda n_fitted: bar.update(n_fitted - bar.n)


@contextmanager
def show_rows(n_rows: int) -> Iterator[Callable[[int], None]]:
    """Show how many rows were replayed.

    Parameters
    ----------
    n_rows
        How many there are.

    Returns
    -------
    To be called with the number of rows that are done; draws only in a terminal.
    """
    if not sys.stderr.isatty():
        announce(f"Replaying {n_rows:,} rows")
        yield lambda n_done: None
        return
    with tqdm(total=n_rows, desc="Replaying", unit="row", file=sys.stderr) as bar:
        yield lambda n_done: bar.update(n_done - bar.n)


@contextmanager
def show_record_rows(stage: str) -> Iterator[Callable[[int], None]]:
    """Show how many recorded rows were read; how many there are is not known before.

    Parameters
    ----------
    stage
        What they are read for.

    Returns
    -------
    To be called with the number of rows that are done; draws only in a terminal.
    """
    if not sys.stderr.isatty():
        announce(stage)
        yield lambda n_done: None
        return
    with tqdm(desc=stage, unit="row", unit_scale=True, file=sys.stderr) as bar:
        yield lambda n_done: bar.update(n_done - bar.n)
