"""What operators do with records: ``python -m app.records COMMAND``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from app.errors import IsowatchError, explain_missing_package

try:
    from sqlalchemy.exc import SQLAlchemyError

    from app.db.errors import explain
    from app.db.url import DatabaseAddress
    from app.records.commands import export, forget, purge, status, upgrade
    from app.records.commands.options import database_address
except ModuleNotFoundError as error:
    sys.exit(f"records: {explain_missing_package(error)}")

_COMMANDS = (status, export, purge, forget, upgrade)

# What a shell reports of a process that Ctrl-C ended.
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Refuses a bad argument in one line; where all options stand is said, not repeated."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        sys.exit(_say(f"{message}; see {self.prog} --help.", 2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        By default those that the program was started with.

    Returns
    -------
    Exit status: 0 done, 1 failed, refused, or nothing was found to forget; 2 a bad argument; 130 Ctrl-C.
    """
    parser = _Parser(prog="python -m app.records", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_command(commands)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except IsowatchError as error:
        return _say(str(error), 1)
    except SQLAlchemyError as error:
        return _say(explain(error, DatabaseAddress(database_address(chosen))), 1)
    except KeyboardInterrupt:
        return _say("interrupted; what was done until now stays done.", _INTERRUPTED)


def _say(reason: str, exit_status: int) -> int:
    """Say a reason in one line, and give back the exit status."""
    print(f"records: {' '.join(reason.split())}", file=sys.stderr)
    return exit_status


if __name__ == "__main__":
    sys.exit(main())
