"""The command line: ``python -m training COMMAND``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from training.commands import (
    drift,
    explore,
    import_model,
    models,
    promote,
    prune,
    retrain,
    rollback,
    score,
    train,
    verify,
)
from training.console import REFUSALS, SIGNALLED, refuse, say

_COMMANDS = (explore, train, retrain, import_model, score, drift, models, promote, rollback, prune, verify)


class _Parser(argparse.ArgumentParser):
    """Refuses a bad argument in one line; where all options stand is said, not repeated."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        sys.exit(say(f"{message}; see {self.prog} --help.", 2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        By default those that the program was started with.

    Returns
    -------
    Exit status: 0 done, 1 failed or (``verify``) found a problem, 2 a bad argument or bad data, 3 (``drift``) a feature
    has changed, (``retrain``) not promoted though that was asked for, 130 Ctrl-C.
    """
    parser = _Parser(prog="python -m training", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_command(commands)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except (*REFUSALS, KeyboardInterrupt) as error:
        return refuse(error)


def _end_orderly(signal_number: int, frame: FrameType | None) -> None:
    """Leave through the ordinary way out, which removes what is half written."""
    sys.exit(SIGNALLED + signal_number)


if __name__ == "__main__":
    # In the service's own environment the metrics of a training would be written among those of the workers.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    signal.signal(signal.SIGTERM, _end_orderly)
    sys.exit(main())
