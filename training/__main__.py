"""The command line: ``python -m training COMMAND``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from app.server.missing_package import explain_missing_package
from app.server.output_file import replace_unprintable

try:
    from training.commands import (
        drift,
        explain,
        explore,
        import_model,
        pack,
        retrain,
        score,
        sign,
        threshold,
        train,
        versions,
    )
    from training.console import REFUSALS, SIGNALLED, print_reason, refuse
except ModuleNotFoundError as error:
    sys.exit(f"training: {explain_missing_package(error)}")


class _Parser(argparse.ArgumentParser):
    """A parser that refuses a bad argument in one line and refers to ``--help`` for the options."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        sys.exit(print_reason(f"{message}; see {self.prog} --help.", 2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        By default those that the program was started with.

    Returns
    -------
    Exit status: 0 done, 1 failed or (``verify``) found a problem, 2 a bad argument or bad data, 3 (``drift``) a feature
    has changed, (others) not promoted though requested, 130 Ctrl-C.
    """
    replace_unprintable()
    parser: argparse.ArgumentParser = _Parser(prog="python -m training", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (explore, train, retrain, import_model, threshold, sign, pack, score, explain, drift):
        command.add_command(commands)
    versions.add_commands(commands)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except ModuleNotFoundError as error:
        return print_reason(explain_missing_package(error), 1)
    except (*REFUSALS, KeyboardInterrupt) as error:
        return refuse(error)


def _exit_on_signal(signal_number: int, frame: FrameType | None) -> None:
    """Exit through ``SystemExit``, so that unfinished files are removed."""
    sys.exit(SIGNALLED + signal_number)


if __name__ == "__main__":
    # In the service's own environment, the metrics of a training would be written among those of the workers.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    signal.signal(signal.SIGTERM, _exit_on_signal)
    sys.exit(main())
