"""``forget``: delete everything that is recorded about one request."""

from __future__ import annotations

import argparse
import hashlib
import sys

from sqlalchemy import Engine

from app.db.engine import write_transaction
from app.db.sqlite_maintenance import overwrite_what_was_deleted
from app.errors import count_of
from app.metrics.records import FORGET
from app.model.version_log import name_operator
from app.records.commands.options import add_database_option, add_yes_option, is_confirmed, opened_for_operator
from app.records.events import add_event
from app.records.retention import STEP_RECORDS, Deleted, delete_records, find_records

# Enough digits to check whether a given id was forgotten, too few to be an identifier.
_DIGITS = 16


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options to the parser."""
    parser = commands.add_parser(
        "forget",
        help="delete everything that is recorded about one request",
        description="Delete all records with a request id, or the one with a record id, together with labels, their "
        "history, pending labels and audits. In an SQLite database, the data are overwritten. The audit trail holds "
        "the first digits of the id's SHA-256 instead of the id.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "request_id",
        metavar="REQUEST_ID",
        help="the answer's X-Request-ID, or its X-Record-ID; write -- before an id that starts with a hyphen",
    )
    add_yes_option(parser)
    add_database_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask for confirmation, delete, add the event, and overwrite."""
    if not is_confirmed(f"Everything recorded about {options.request_id} will be deleted permanently.", options):
        return 1
    digest = hashlib.sha256(options.request_id.encode()).hexdigest()[:_DIGITS]
    with opened_for_operator(options) as engine:
        deleted, n_records = _delete_all(engine, options.request_id, digest)
        is_overwritten = overwrite_what_was_deleted(engine)
    if deleted:
        print(f"deleted {deleted}, of {count_of(n_records, 'record')}; the event names sha256:{digest}")
    else:
        _warn(
            f"nothing is recorded about {options.request_id}: it was never recorded, or was purged or forgotten "
            "already; an answer of the last second may not be written yet."
        )
    if not is_overwritten:
        _warn("the write-ahead log could not be emptied, as other processes keep reading from it: run forget again.")
    return 0 if deleted and is_overwritten else 1


def _delete_all(engine: Engine, given_id: str, digest: str) -> tuple[Deleted, int]:
    """Delete in steps, the last of which adds the event; return what was deleted, and the number of records."""
    deleted, n_records = Deleted(), 0
    while True:
        with write_transaction(engine) as connection:
            record_ids = find_records(connection, given_id, STEP_RECORDS)
            deleted += delete_records(connection, given_id, record_ids)
            n_records += len(record_ids)
            if len(record_ids) == STEP_RECORDS:
                continue
            if deleted:
                note = f"{count_of(n_records, 'record')}: {deleted}"
                add_event(connection, name_operator(), FORGET, before=f"sha256:{digest}", note=note)
            return deleted, n_records


def _warn(sentence: str) -> None:
    """Print a warning."""
    print(f"records: {sentence}", file=sys.stderr)
