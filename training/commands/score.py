"""``score``: add the live model's label and score, and perhaps why, to each row of a table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from training.commands.options import add_dialect_options, add_models_option, read_dialect, table_file

# The exit status with --fail-on-unfamiliar, as for drift.
UNFAMILIAR = 3


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("score", help="add label and score columns to a table", allow_abbrev=False)
    parser.add_argument(
        "--in", dest="source", metavar="FILE", type=table_file, required=True, help="table with the rows"
    )
    parser.add_argument(
        "--out",
        dest="target",
        metavar="FILE",
        type=Path,
        required=True,
        help="file to write, by its name: .csv (also .csv.gz and .csv.zst), .parquet or .feather; - is standard output",
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="copy texts such as =SUM(A1) unchanged; by default an apostrophe keeps spreadsheets from running them",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="also add contributions, reasons, counterfactual and p-value of each row",
    )
    parser.add_argument(
        "--fail-on-unfamiliar",
        action="store_true",
        help="exit with status 3 if a row has values that training did not see; the file is written all the same",
    )
    add_dialect_options(parser)
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Score a file with the live model and write the result."""
    from app.errors import count_of
    from app.model.bundle import read_bundle
    from app.model.live_model import CURRENT_LINK
    from app.server.output_file import is_stream
    from training.console import warn
    from training.data.score_file import score_file

    bundle = read_bundle(options.models / CURRENT_LINK)
    scored = score_file(
        bundle,
        options.source,
        options.target,
        is_raw=options.raw,
        explains=options.explain,
        dialect=read_dialect(options),
    )
    evaluation = scored.evaluation
    print(
        f"{options.target}: {evaluation.n_flagged:,} of {len(evaluation):,} rows are outliers "
        f"({bundle.name} {bundle.version})",
        file=sys.stderr if is_stream(options.target) else sys.stdout,
    )
    if not scored.unfamiliar:
        return 0
    columns = sorted({name for values in scored.unfamiliar.values() for name in values})
    warn(
        f"{count_of(len(scored.unfamiliar), 'row')} of {options.source} with values that training did not see, in "
        f"{', '.join(columns)}: the model cannot judge them; see the column unfamiliar."
    )
    return UNFAMILIAR if options.fail_on_unfamiliar else 0
