"""Options that several commands have."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Engine

from app.db.engine import open_database
from app.records.timestamps import parse_timestamp
from app.settings import Settings

# An operator would rather wait for the recorder's batch, or for a count of millions of rows, than try again.
LOCK_SECONDS, _ANSWER_SECONDS = 30.0, 600.0


def add_database_option(parser: argparse.ArgumentParser) -> None:
    """Declare which database is meant."""
    parser.add_argument("--database", metavar="ADDRESS", help="default: DATABASE_URL, as the service takes it")


def add_yes_option(parser: argparse.ArgumentParser) -> None:
    """Declare that nobody is to be asked."""
    parser.add_argument("--yes", action="store_true", help="do not ask")


def database_address(options: argparse.Namespace) -> str:
    """Say which database is meant."""
    return cast("str | None", options.database) or Settings.from_environ().database_url


@contextmanager
def opened_for_operator(options: argparse.Namespace) -> Iterator[Engine]:
    """Open the database that is meant, and close it at the end."""
    engine = open_database(database_address(options), lock_seconds=LOCK_SECONDS, answer_seconds=_ANSWER_SECONDS)
    try:
        yield engine
    finally:
        engine.dispose()


def moment(text: str) -> float:
    """Read a moment, for argparse."""
    try:
        return parse_timestamp(text, time.time())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no moment: give 2026-11-01, 2026-11-01T12:30, or 7d, 12h, 30m for so long ago"
        ) from None


def is_confirmed(question: str, options: argparse.Namespace) -> bool:
    """Ask a person, who has to type yes; where there is none, the answer is no."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        print("records: nothing was changed: say --yes where nobody can be asked.", file=sys.stderr)
        return False
    print(f"{question} Type yes to go on: ", end="", flush=True)
    if sys.stdin.readline().strip().lower() == "yes":
        return True
    print("records: nothing was changed.", file=sys.stderr)
    return False
