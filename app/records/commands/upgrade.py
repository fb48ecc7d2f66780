"""``upgrade``: create the tables, or bring them up to date."""

from __future__ import annotations

import argparse

from app.db.engine import upgrade_database
from app.db.revision import REVISION
from app.db.url import DatabaseAddress
from app.records.commands.options import LOCK_SECONDS, add_database_option, database_address


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options to the parser."""
    parser = commands.add_parser(
        "upgrade",
        help="create the tables, or bring them up to date, as the service does when it starts",
        allow_abbrev=False,
    )
    add_database_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Upgrade, and print the revision."""
    address = database_address(options)
    upgrade_database(address, lock_seconds=LOCK_SECONDS)
    print(f"{DatabaseAddress(address)} is at revision {REVISION}")
    return 0
