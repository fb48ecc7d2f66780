"""``forget``: delete all that is recorded of one request."""

from __future__ import annotations

import argparse
import hashlib
import sys

from sqlalchemy import Engine

from app.db.engine import write_transaction
from app.db.sqlite_maintenance import overwrite_what_was_deleted
from app.metrics.records import FORGET
from app.model.version_log import name_operator
from app.records.commands.options import add_database_option, add_yes_option, is_confirmed, opened_for_operator
from app.records.events import add_event
from app.records.retention import STEP_RECORDS, Deleted, delete_records, find_records

# Enough to find out whether an id that somebody names was forgotten, and too few to be more than that.
_DIGITS = 16


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "forget",
        help="delete all that is recorded of one request",
        description="Delete what is recorded of a request: all records of a request id, or the one of a record id, "
        "with labels, their history, waiting labels and audits. In an SQLite database it is overwritten. The event "
        "holds the beginning of the id's SHA-256 instead of the id.",
        allow_abbrev=False,
    )
    parser.add_argument("request_id", metavar="REQUEST_ID", help="the answer's X-Request-ID, or its X-Record-ID")
    add_yes_option(parser)
    add_database_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask, delete, write the event, overwrite."""
    if not is_confirmed(f"All that is recorded of {options.request_id} will be deleted for good.", options):
        return 1
    digest = hashlib.sha256(options.request_id.encode()).hexdigest()[:_DIGITS]
    with opened_for_operator(options) as engine:
        deleted, n_records = _delete_all(engine, options.request_id, digest)
        is_overwritten = overwrite_what_was_deleted(engine)
    if deleted:
        print(f"deleted {deleted}, of {_records(n_records)}; the event names sha256:{digest}")
    else:
        _warn(
            f"nothing is recorded of {options.request_id}: it was never recorded, or is purged or forgotten already; "
            "what was answered in the last second may not be written yet."
        )
    if not is_overwritten:
        _warn("the write-ahead log could not be emptied, as others read from it without a pause: say forget again.")
    return 0 if deleted and is_overwritten else 1


def _delete_all(engine: Engine, given_id: str, digest: str) -> tuple[Deleted, int]:
    """Delete in steps, the last of which writes the event; give how much it was, and of how many records."""
    deleted, n_records = Deleted(), 0
    while True:
        with write_transaction(engine) as connection:
            record_ids = find_records(connection, given_id, STEP_RECORDS)
            deleted += delete_records(connection, given_id, record_ids)
            n_records += len(record_ids)
            if len(record_ids) == STEP_RECORDS:
                continue
            if deleted:
                note = f"{_records(n_records)}: {deleted}"
                add_event(connection, name_operator(), FORGET, before=f"sha256:{digest}", note=note)
            return deleted, n_records


def _records(number: int) -> str:
    """Say how many records."""
    return f"{number:,} record{'' if number == 1 else 's'}"


def _warn(sentence: str) -> None:
    """Say what is not as it should be."""
    print(f"records: {sentence}", file=sys.stderr)
