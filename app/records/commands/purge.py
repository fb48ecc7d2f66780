"""``purge``: delete all records before a time."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from sqlalchemy import Connection, Engine

from app.db.engine import write_transaction
from app.db.ids import first_id_at
from app.db.sqlite_maintenance import give_back_free_pages, overwrite_what_was_deleted
from app.errors import IsowatchError
from app.metrics.records import PURGE
from app.model.version_log import name_operator
from app.records import retention, retention_clock
from app.records.commands.options import (
    add_database_option,
    add_yes_option,
    is_confirmed,
    opened_for_operator,
    timestamp,
)
from app.records.events import add_event
from app.records.retention import Deleted, count_before, delete_oldest, delete_pending_labels
from app.records.timestamps import SECONDS_PER_DAY, format_timestamp, is_age


class _Before:
    """The time of ``--before``, and whether it depends on this machine's clock."""

    def __init__(self, text: str) -> None:
        self.seconds, self.is_age = timestamp(text), is_age(text)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options to the parser."""
    parser = commands.add_parser(
        "purge",
        help="delete all records before a time",
        description="Delete all records before a time, with their labels and audits, in small steps, so that the "
        "service can go on writing. Hourly counts and events stay. The service itself purges after "
        "RECORD_RETENTION_DAYS.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--before", metavar="TIME", type=_Before, required=True, help="2026-11-01, or 7d for 7 days ago"
    )
    parser.add_argument(
        "--force", action="store_true", help="trust this machine's clock, though it is ahead of the recorder's"
    )
    add_yes_option(parser)
    add_database_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask for confirmation, delete, and add the event."""
    with opened_for_operator(options) as engine:
        before: float = options.before.seconds
        limit, day = first_id_at(before), format_timestamp(before)
        with engine.connect() as connection:
            if options.before.is_age and not options.force:
                _require_a_right_clock(connection, before)
            n_rows = count_before(connection, limit)
        if not is_confirmed(f"{n_rows:,} recorded rows before {day} will be deleted permanently.", options):
            return 1
        deleted, who = Deleted(), name_operator()
        try:
            for step in _steps(engine, limit):
                deleted += step
        finally:
            # Whatever interrupts it, the audit trail has what was deleted.
            with write_transaction(engine) as connection:
                deleted += delete_pending_labels(connection, before)
                add_event(connection, who, PURGE, after=day, note=f"before {day}: {deleted}")
                if options.force:
                    retention_clock.store(connection, time.time())
        give_back_free_pages(engine)
        overwrite_what_was_deleted(engine)
    print(f"deleted {deleted}")
    return 0


def _require_a_right_clock(connection: Connection, before: float) -> None:
    """Refuse to delete what only this machine's clock calls old.

    Raises
    ------
    IsowatchError
        If the clock is ahead of the one that retention follows, and that would delete more rows.
    """
    reached = retention_clock.read_stored(connection)
    lag = 0.0 if reached is None else time.time() - reached
    if lag < retention_clock.TOLERATED_LAG_SECONDS:
        return
    allowed = first_id_at(max(before - lag, 0.0))
    n_more = count_before(connection, first_id_at(before)) - count_before(connection, allowed)
    if n_more:
        raise IsowatchError(
            f"{n_more:,} rows are that old only by this machine's clock, {format_timestamp(time.time())}, which is "
            f"{lag / SECONDS_PER_DAY:.1f} days ahead of the last time that a recorder stored. If the clock is right, "
            "because no service ran, repeat this with --force; otherwise set the clock, or pass a date."
        )


def _steps(engine: Engine, limit: str) -> Iterator[Deleted]:
    """Delete in steps, pausing for as long as each takes, so that the recorder can write pending rows."""
    is_done = False
    while not is_done:
        started = time.monotonic()
        with write_transaction(engine) as connection:
            step = delete_oldest(connection, limit)
        yield step
        is_done = step.rows < retention.STEP_ROWS
        time.sleep(time.monotonic() - started)
