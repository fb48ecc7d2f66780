"""``status``: print what is recorded."""

from __future__ import annotations

import argparse

from sqlalchemy import Connection, Table, func, select

from app.db import tables
from app.db.revision import read_revision
from app.db.url import DatabaseAddress
from app.records.commands.options import add_database_option, database_address, opened_for_operator
from app.records.events import read_events
from app.records.stats import read_contents
from app.records.timestamps import format_timestamp

_MEGABYTE = 1_000_000


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options to the parser."""
    parser = commands.add_parser("status", help="print what is recorded, and since when", allow_abbrev=False)
    add_database_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a line for each fact."""
    with opened_for_operator(options) as engine, engine.connect() as connection:
        facts = {"database": str(DatabaseAddress(database_address(options)))} | _read_facts(connection)
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {value}")
    return 0


def _read_facts(connection: Connection) -> dict[str, str]:
    """Read the facts, formatted as text."""
    predictions, labels, audits = tables.PREDICTIONS.c, tables.LABELS.c, tables.AUDITS.c
    oldest, newest = (
        connection.scalar(select(predictions.answered_at).order_by(order).limit(1))
        for order in (predictions.record_id.asc(), predictions.record_id.desc())
    )
    n_labels, n_replaced = connection.execute(select(func.count(), func.count(labels.replaced_at))).one()
    n_audits, n_handed = connection.execute(select(func.count(audits.position), func.count(audits.handed_at))).one()
    events = list(read_events(connection))
    last = events[-1] if events else None
    return {
        "revision": str(read_revision(connection)),
        "size": f"{read_contents(connection).n_bytes / _MEGABYTE:,.1f} MB",
        "rows": _count(connection, tables.PREDICTIONS),
        "oldest": format_timestamp(oldest) if oldest is not None else "-",
        "newest": format_timestamp(newest) if newest is not None else "-",
        "labels": f"{n_labels - n_replaced:,}, and {n_replaced:,} that were replaced",
        "pending labels": _count(connection, tables.PENDING_LABELS),
        "audits": f"{n_audits:,}, of which {n_handed:,} were handed out",
        "events": f"{len(events):,}",
        "last event": f"{format_timestamp(last.at)} {last.what} by {last.who}" if last else "-",
    }


def _count(connection: Connection, table: Table) -> str:
    """Count the rows of a table."""
    return f"{connection.scalar(select(func.count()).select_from(table)):,}"
