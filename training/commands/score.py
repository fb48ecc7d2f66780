"""``score``: add the live model's label and score, and more on request, to each row of a table, or of many tables."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.options import add_dialect_options, add_models_option, read_dialect, table_file

if TYPE_CHECKING:
    from app.model.bundle import Bundle
    from training.data.score_columns import HowToScore
    from training.data.score_file import ScoredFile
    from training.data.score_folder import Task

# The exit status with --fail-on-unfamiliar, as for drift.
UNFAMILIAR = 3


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("score", help="add label and score columns to a table", allow_abbrev=False)
    parser.add_argument(
        "--in",
        dest="source",
        metavar="FILE",
        type=table_file,
        required=True,
        help="table with the rows; a folder or a pattern such as 'in/*.csv' names many",
    )
    parser.add_argument(
        "--out",
        dest="target",
        metavar="FILE",
        type=table_file,
        required=True,
        help="file to write, by its name: .csv (also .csv.gz and .csv.zst), .parquet or .feather; - is standard output;"
        " an address such as s3://bucket/rows.csv; a folder for many tables",
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="copy texts such as =SUM(A1) unchanged; by default an apostrophe keeps spreadsheets from running them",
    )
    parser.add_argument(
        "--p-value",
        action="store_true",
        help="also add the share of ordinary rows that are at least as abnormal as the row",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="also add contributions, reasons, counterfactual and p-value of each row",
    )
    parser.add_argument(
        "--unfamiliar",
        action="store_true",
        help="add the column of values that training did not see even if no row has such values",
    )
    parser.add_argument(
        "--fail-on-unfamiliar",
        action="store_true",
        help="exit with status 3 if a row has values that training did not see; the file is written all the same",
    )
    parser.add_argument(
        "--on-bad-row",
        choices=["stop", "skip"],
        default="stop",
        help="stop at a row that cannot be scored (default), or write it with its reason to OUT.rejects.csv and go on",
    )
    parser.add_argument(
        "--resume", action="store_true", help="of many tables, keep results that are whole and would be the same"
    )
    add_dialect_options(parser)
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Score one table or many with the live model and write the results."""
    from app.model.bundle import read_bundle
    from app.model.live_model import CURRENT_LINK
    from app.server.output_file import is_stream
    from training.data.bad_rows import rejects_of
    from training.data.score_columns import HowToScore
    from training.data.score_folder import plan_tasks
    from training.errors import BadArgument

    bundle = read_bundle(options.models / CURRENT_LINK)
    how = HowToScore(
        is_raw=options.raw,
        adds_p_values=options.p_value,
        adds_unfamiliar=options.unfamiliar,
        explains=options.explain,
        skips_bad_rows=options.on_bad_row == "skip",
        dialect=read_dialect(options),
    )
    tasks = plan_tasks(options.source, options.target)
    is_pipe = tasks is None and isinstance(options.target, Path) and is_stream(options.target)
    if tasks is not None:
        found, rejects = _score_many(bundle, tasks, options, how), f"{options.target}/**/*.rejects.csv"
    elif options.resume:
        raise BadArgument("--resume keeps results of many tables; name a folder or a pattern with --in.")
    else:
        found, rejects = _score_one(bundle, options, how), str(rejects_of(options.target))
    print(
        f"{options.target}: {found.n_flagged:,} of {found.n_rows:,} rows are outliers ({bundle.name} {bundle.version})",
        file=sys.stderr if is_pipe else sys.stdout,
    )
    return _report(found, options, rejects)


def _score_one(bundle: Bundle, options: argparse.Namespace, how: HowToScore) -> ScoredFile:
    """Score one table."""
    from training.console import show_scored
    from training.data.score_file import score_file

    with show_scored([_size_of(options.source)]) as show:
        return score_file(bundle, options.source, options.target, how, lambda share, n_rows: show(0, share, n_rows))


def _score_many(bundle: Bundle, tasks: list[Task], options: argparse.Namespace, how: HowToScore) -> ScoredFile:
    """Score the tables of a folder or pattern; return what was found in all of them together."""
    from app.errors import count_of
    from training.console import show_scored, warn
    from training.data.score_file import ScoredFile
    from training.data.score_folder import score_tasks

    total, n_kept = ScoredFile(), 0
    with show_scored([_size_of(task.source) for task in tasks]) as show:
        for _, found, is_kept in score_tasks(bundle, tasks, options.target, how, show, resumes=options.resume):
            total.add(found)
            n_kept += is_kept
    if n_kept:
        warn(f"{count_of(n_kept, 'result')} of {len(tasks):,} in {options.target} kept, as they would be the same.")
    return total


def _report(found: ScoredFile, options: argparse.Namespace, rejects: str) -> int:
    """Print what a person should know of the rows, and return the exit status."""
    from app.errors import count_of
    from training.console import warn

    if found.n_bad:
        warn(
            f"{count_of(found.n_bad, 'row')} of {options.source} cannot be scored; {rejects} has them with the reasons."
        )
    if not found.n_unfamiliar:
        return 0
    warn(
        f"{count_of(found.n_unfamiliar, 'row')} of {options.source} with values that training did not see, in "
        f"{', '.join(sorted(found.unfamiliar_columns))}: the model cannot judge them; see the column unfamiliar."
    )
    return UNFAMILIAR if options.fail_on_unfamiliar else 0


def _size_of(source: object) -> int:
    """Return how many bytes a table has; 1 if that is not known."""
    return source.stat().st_size if isinstance(source, Path) and source.is_file() else 1
