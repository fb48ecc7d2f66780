"""``export``: write the records and events of a time span to files."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import InvalidTimestamp, RecordsUnavailable
from app.records.commands.options import add_database_option, opened_for_operator, timestamp
from app.records.events import read_events
from app.records.export import RecordPages, write_csv, write_events_csv
from app.records.parquet_export import require_pyarrow, write_events_parquet, write_parquet
from app.server.output_file import is_stream, open_output

_CSV, _PARQUET = "csv", "parquet"

# Records are not for everybody to read.
_MODE = 0o600


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options to the parser."""
    parser = commands.add_parser(
        "export",
        help="write the records and events of a time span to files",
        description="Write the records of a time span, one line per row with its label and audit, and the events of "
        "the same time span to a second file, whose name has .events before the suffix. Into a pipe, a device or "
        "standard output go the records alone.",
        allow_abbrev=False,
    )
    parser.add_argument("--format", choices=(_CSV, _PARQUET), default=_CSV, help="default: csv; parquet needs pyarrow")
    parser.add_argument(
        "--since", metavar="TIME", type=timestamp, required=True, help="2026-11-01, or 7d for 7 days ago"
    )
    parser.add_argument("--until", metavar="TIME", type=timestamp, help="default: now")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="default: records.csv or records.parquet; - is standard output"
    )
    add_database_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write both files and print how much is in them."""
    is_parquet = options.format == _PARQUET
    if is_parquet:
        require_pyarrow()
    out = options.out or Path(f"records.{options.format}")
    until = time.time() if options.until is None else options.until
    if until <= options.since:
        # An empty file would look like a time span without records.
        raise InvalidTimestamp("--until is not after --since, so there is nothing between them: pass a later --until.")
    with opened_for_operator(options) as engine, _refusing_in_words(out):
        pages = RecordPages(engine, options.since, until)
        write_records = write_parquet if is_parquet else write_csv
        if is_stream(out):
            with open_output(out) as records_file:
                n_rows = write_records(pages, records_file)
            print(f"rows: {n_rows:,}; events are written only beside a file", file=sys.stderr)
            return 0
        events_out = out.with_name(f"{out.stem}.events{out.suffix}")
        with open_output(out, mode=_MODE) as records_file, open_output(events_out, mode=_MODE) as events_file:
            n_rows = write_records(pages, records_file)
            with engine.connect() as connection:
                events = list(read_events(connection, options.since, until))
            (write_events_parquet if is_parquet else write_events_csv)(events, events_file)
    print(f"rows: {n_rows:,} in {out}, events: {len(events):,} in {events_out}")
    return 0


@contextmanager
def _refusing_in_words(out: Path) -> Iterator[None]:
    """Convert an error of the file system to a sentence for the operator."""
    try:
        yield
    except OSError as error:
        raise RecordsUnavailable(
            f"{out} cannot be written ({error.strerror or error}): make room, or name another file with --out."
        ) from error
