"""Options that several commands share."""

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

# An operator would rather wait for the recorder's batch, or for a count of millions of rows, than retry.
LOCK_SECONDS, _ANSWER_SECONDS = 30.0, 600.0


def add_database_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--database``."""
    parser.add_argument("--database", metavar="ADDRESS", help="default: DATABASE_URL, as for the service")


def add_yes_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--yes``."""
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def database_address(options: argparse.Namespace) -> str:
    """Return the address of the chosen database."""
    return cast("str | None", options.database) or Settings.from_environ().database_url


@contextmanager
def opened_for_operator(options: argparse.Namespace) -> Iterator[Engine]:
    """Open the chosen database, and close it at the end."""
    engine = open_database(database_address(options), lock_seconds=LOCK_SECONDS, answer_seconds=_ANSWER_SECONDS)
    try:
        yield engine
    finally:
        engine.dispose()


def timestamp(text: str) -> float:
    """Parse a timestamp, for argparse."""
    try:
        return parse_timestamp(text, time.time())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time: pass 2026-11-01, 2026-11-01T12:30, or 7d, 12h or 30m for that long ago"
        ) from None


def is_confirmed(question: str, options: argparse.Namespace) -> bool:
    """Ask for confirmation on the terminal; without a terminal, the answer is no."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        print("records: nothing was changed: pass --yes to run this without a terminal.", file=sys.stderr)
        return False
    print(f"{question} Type yes to continue: ", end="", flush=True)
    if sys.stdin.readline().strip().lower() == "yes":
        return True
    print("records: nothing was changed.", file=sys.stderr)
    return False
