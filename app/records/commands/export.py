"""``export``: records and events of a while as files."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import InvalidTimestamp, RecordsUnavailable
from app.records.commands.options import add_database_option, moment, opened_for_operator
from app.records.events import read_events
from app.records.export import RecordPages, write_csv, write_events_csv
from app.records.parquet_export import require_pyarrow, write_events_parquet, write_parquet
from app.server.atomic_file import replacing

_CSV, _PARQUET = "csv", "parquet"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "export",
        help="write records and events of a while into files",
        description="Write the records of a while with what is known of them, a row each, and beside them the events "
        "of the same while, into a file whose name ends with .events before its suffix.",
        allow_abbrev=False,
    )
    parser.add_argument("--format", choices=(_CSV, _PARQUET), default=_CSV, help="default: csv; parquet needs pyarrow")
    parser.add_argument(
        "--since", metavar="MOMENT", type=moment, required=True, help="2026-11-01, or 7d for 7 days ago"
    )
    parser.add_argument("--until", metavar="MOMENT", type=moment, help="default: now")
    parser.add_argument("--out", metavar="FILE", type=Path, help="default: records.csv or records.parquet")
    add_database_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write both files and say how much is in them."""
    is_parquet = options.format == _PARQUET
    if is_parquet:
        require_pyarrow()
    out = options.out or Path(f"records.{options.format}")
    until = time.time() if options.until is None else options.until
    if until <= options.since:
        # An empty file would be taken for a while without records.
        raise InvalidTimestamp("--until is not after --since, so nothing lies between them: give a later one.")
    events_out = out.with_name(f"{out.stem}.events{out.suffix}")
    with (
        opened_for_operator(options) as engine,
        _refusing_in_words(out),
        # What is recorded is not for everybody to read.
        replacing(out, mode=0o600) as records_file,
        replacing(events_out, mode=0o600) as events_file,
    ):
        n_rows = (write_parquet if is_parquet else write_csv)(RecordPages(engine, options.since, until), records_file)
        with engine.connect() as connection:
            events = list(read_events(connection, options.since, until))
        (write_events_parquet if is_parquet else write_events_csv)(events, events_file)
    print(f"rows: {n_rows:,} in {out}, events: {len(events):,} in {events_out}")
    return 0


@contextmanager
def _refusing_in_words(out: Path) -> Iterator[None]:
    """Turn an error of the file system into a sentence for the operator."""
    try:
        yield
    except OSError as error:
        raise RecordsUnavailable(
            f"{out} cannot be written ({error.strerror or error}): make room, or name another file with --out."
        ) from error
