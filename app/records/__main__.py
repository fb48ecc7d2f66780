"""Commands for operators of the records: ``python -m app.records COMMAND``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from app.errors import IsowatchError
from app.server.missing_package import explain_missing_package
from app.server.output_file import replace_unprintable

try:
    from sqlalchemy.exc import SQLAlchemyError

    from app.db.errors import explain
    from app.db.url import DatabaseAddress
    from app.records.commands import export, forget, purge, status, upgrade
    from app.records.commands.options import database_address
except ModuleNotFoundError as error:
    sys.exit(f"records: {explain_missing_package(error)}")

_COMMANDS = (status, export, purge, forget, upgrade)

# A shell's exit status for a process that Ctrl-C ended.
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Reports a bad argument in one line, and refers to --help instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        sys.exit(_report(f"{message}; see {self.prog} --help.", 2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        By default those of the command line.

    Returns
    -------
    Exit status: 0 for success, 1 if the command failed, was refused or found nothing to forget, 2 for a bad argument,
    130 for Ctrl-C.
    """
    replace_unprintable()
    parser = _Parser(prog="python -m app.records", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_command(commands)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except IsowatchError as error:
        return _report(str(error), 1)
    except SQLAlchemyError as error:
        return _report(explain(error, DatabaseAddress(database_address(chosen))), 1)
    except KeyboardInterrupt:
        return _report("interrupted; changes made so far remain.", _INTERRUPTED)


def _report(reason: str, exit_status: int) -> int:
    """Print a reason in one line, and return the exit status."""
    print(f"records: {' '.join(reason.split())}", file=sys.stderr)
    return exit_status


if __name__ == "__main__":
    sys.exit(main())
