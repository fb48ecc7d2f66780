"""``forget``: delete all that is recorded of one request."""

from __future__ import annotations

import argparse
import hashlib
import sys

from app.records.commands.options import add_database_option, add_yes_option, is_confirmed, open_for_operator
from app.records.deletion import STEP_RECORDS, Deleted, delete_records, find_records
from app.records.disk_space import overwrite_what_was_deleted
from app.records.event_kinds import FORGET
from app.records.events import add_event
from app.records.operator_name import name_operator

# Enough to find out whether an id that somebody names was forgotten, and too few to be more than that.
_DIGITS = 16


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "forget",
        help="delete all that is recorded of one request",
        description="Delete what is recorded of a request: all records of a request id, or the one of a record id, with "
        "labels, their history, waiting labels and audits. In an SQLite database it is overwritten. The event holds the "
        "beginning of the id's SHA-256 instead of the id.",
        allow_abbrev=False,
    )
    parser.add_argument("request_id", metavar="REQUEST_ID", help="the answer's X-Request-ID, or its X-Record-ID")
    add_yes_option(parser)
    add_database_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask, delete, write the event, overwrite."""
    engine = open_for_operator(options)
    if not is_confirmed(f"All that is recorded of {options.request_id} will be deleted for good.", options):
        return 1
    deleted, n_records = Deleted(), 0
    digest = hashlib.sha256(options.request_id.encode()).hexdigest()[:_DIGITS]
    is_over = False
    while not is_over:
        with engine.begin() as connection:
            record_ids = find_records(connection, options.request_id, STEP_RECORDS)
            deleted += delete_records(connection, options.request_id, record_ids)
            n_records += len(record_ids)
            is_over = len(record_ids) < STEP_RECORDS
            if is_over and deleted:
                note = f"{n_records:,} record{'' if n_records == 1 else 's'}: {deleted}"
                add_event(connection, name_operator(), FORGET, before=f"sha256:{digest}", note=note)
    if not deleted:
        print(
            f"records: nothing is recorded of {options.request_id}: it was never recorded, or is purged or forgotten "
            "already; what was answered in the last second may not be written yet.",
            file=sys.stderr,
        )
        return 1
    print(f"deleted {deleted}, of {n_records:,} record{'' if n_records == 1 else 's'}; sha256:{digest} is in the events")
    if not overwrite_what_was_deleted(engine):
        print(
            "records: the write-ahead log could not be cut, as others use the database without a pause; say it again "
            "with `python -m app.records purge --before 1970-01-01 --yes`.",
            file=sys.stderr,
        )
    return 0
