"""``upgrade``: make the tables, or bring them up to date."""

from __future__ import annotations

import argparse

from app.records.commands.options import add_database_option, database_address
from app.records.database import upgrade_database
from app.records.database_address import DatabaseAddress
from app.records.schema_revision import REVISION


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "upgrade",
        help="make the tables, or bring them up to date, as the service does at its start",
        allow_abbrev=False,
    )
    add_database_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Upgrade and say so."""
    address = database_address(options)
    upgrade_database(address)
    print(f"{DatabaseAddress(address)} is at revision {REVISION}")
    return 0
