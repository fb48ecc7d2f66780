"""The command line: ``python -m training COMMAND``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from app.errors import IsowatchError
from training.commands import explore, import_model, score, train, verify
from training.errors import TrainingError

# What a shell reports of a process that a signal ended: 128 plus the signal's number.
_SIGNALLED = 128


class _Parser(argparse.ArgumentParser):
    """Refuses a bad argument in one line; where all options stand is said, not repeated."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        sys.exit(_refuse(f"{message}; see {self.prog} --help.", 2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        By default those that the program was started with.

    Returns
    -------
    Exit status: 0 done, 1 failed or (``verify``) found a problem, 2 a bad argument or bad data, 130 Ctrl-C.
    """
    parser = _Parser(prog="python -m training", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (explore, train, import_model, score, verify):
        command.add_command(commands)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except TrainingError as error:
        return _refuse(error, error.exit_status)
    except IsowatchError as error:
        return _refuse(error, 1)
    except KeyboardInterrupt:
        return _refuse("interrupted; nothing was changed.", _SIGNALLED + signal.SIGINT)


def _refuse(reason: object, exit_status: int) -> int:
    """Say why in one line, and give the exit status."""
    print(f"training: {' '.join(str(reason).split())}", file=sys.stderr)
    return exit_status


def _end_orderly(signal_number: int, frame: FrameType | None) -> None:
    """Leave through the ordinary way out, which removes what is half written."""
    sys.exit(_SIGNALLED + signal_number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end_orderly)
    sys.exit(main())
