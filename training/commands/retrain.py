"""``retrain``: train a candidate on records, compare it with the live model, and promote it if it is better."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from app.records.timestamps import parse_timestamp
from training.commands.metrics_options import add_metrics_options
from training.commands.options import add_forest_options, add_models_option, read_forest_options
from training.console import NOT_PROMOTED, REFUSALS, refuse

if TYPE_CHECKING:
    from app.model.bundle import Bundle
    from training.metrics.monitor import TreeModelMonitor
    from training.retraining.retrain import Candidate

# Enough for hundreds of rows beyond the threshold, and a table of many features still fits into a small machine's
# memory.
_MAX_ROWS = 200_000


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "retrain",
        help="train the next model on records and compare it with the live one",
        description="Train a candidate on what the service recorded, compare it with the live model on labelled rows "
        "and on the last week's traffic, and store it with a page comparison.html. It goes live only with "
        "--promote-if-better and if it is significantly better; if it is not, the exit status is 3.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--since",
        metavar="WHEN",
        type=past_time,
        default="30d",
        help="7d, 24h, 2026-01-31 or an ISO time (%(default)s)",
    )
    parser.add_argument(
        "--exclude-labelled-outliers",
        action="store_true",
        help="fit trees without rows that are labelled as outliers",
    )
    parser.add_argument(
        "--promote-if-better", action="store_true", help="make the candidate live if it is significantly better"
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        default=os.environ.get("DATABASE_URL") or "sqlite:///records/records.db",
        # The default may hold a password, so it is not printed.
        help="database of the records (default: $DATABASE_URL, else sqlite:///records/records.db)",
    )
    parser.add_argument(
        "--max-rows",
        metavar="N",
        type=int,
        default=_MAX_ROWS,
        help="train on a random sample of at most N rows (%(default)s)",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the result as JSON; - is standard output")
    add_forest_options(parser, defaults=None)
    parser.add_argument(
        "--no-drift", action="store_true", help="calibrate no drift detectors (default: like the live model's)"
    )
    add_models_option(parser)
    add_metrics_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Retrain and publish the metrics of the training; promote if requested; print the result."""
    from app.model.bundle import read_bundle
    from app.model.live_model import CURRENT_LINK
    from training.metrics.monitor import TreeModelMonitor
    from training.metrics.publication import MetricsPublication

    live = read_bundle(options.models / CURRENT_LINK)
    monitor = TreeModelMonitor()
    publication = MetricsPublication(
        host=options.metrics_host,
        port=options.metrics_port,
        hold_seconds=options.metrics_hold,
        pushgateway_url=os.environ.get("PUSHGATEWAY_URL", ""),
        model_name=live.name,
    )
    with publication.publish(monitor):
        try:
            with monitor.watch_run():
                candidate = _retrain(options, live, monitor)
                obstacle = _promote(options, live, candidate)
                _report(options, candidate, obstacle)
        except REFUSALS as error:
            # Printed here, so that the reason is visible while the metrics are held.
            return refuse(error)
    return NOT_PROMOTED if options.promote_if_better and obstacle else 0


def _retrain(options: argparse.Namespace, live: Bundle, monitor: TreeModelMonitor) -> Candidate:
    """Open the records and retrain."""
    from app.records.reading import Period, RecordReader
    from training.errors import BadArgument
    from training.retraining.retrain import RetrainingChoices, inherit_drift, retrain
    from training.retraining.training_records import MIN_ROWS

    period = Period(options.since, time.time())
    if period.since >= period.until:
        raise BadArgument("--since is in the future; name a time that has passed.")
    if options.max_rows < MIN_ROWS:
        raise BadArgument(f"--max-rows {options.max_rows} is too few to train on; use at least {MIN_ROWS:,}.")
    choices = RetrainingChoices(
        period=period,
        max_rows=options.max_rows,
        exclude_outliers=options.exclude_labelled_outliers,
        parameters=read_forest_options(options),
        drift=None if options.no_drift else inherit_drift(live.manifest),
    )
    with RecordReader(options.database) as reader:
        return retrain(reader, live, options.models, choices, monitor)


def _promote(options: argparse.Namespace, live: Bundle, candidate: Candidate) -> str:
    """Promote the candidate if requested and certain; return the reason if not, else an empty string."""
    from app.model.store.promotion_rules import require_sound
    from app.model.store.store import ModelStore

    if not options.promote_if_better:
        return "not requested (--promote-if-better)"
    if not candidate.comparison.decision.is_better:
        return "; ".join(candidate.comparison.decision.doubts)
    store = ModelStore(options.models)

    def require_same_live(folder: Path) -> None:
        if store.live_version() != live.version:
            raise _LiveModelChanged
        require_sound(folder)

    try:
        store.promote(candidate.written.manifest["version"], require_same_live)
    except _LiveModelChanged:
        return f"{store.live_version()} went live in the meantime, and the candidate was not compared with it"
    return ""


class _LiveModelChanged(Exception):
    """Another version was promoted while this one was trained."""


def _report(options: argparse.Namespace, candidate: Candidate, obstacle: str) -> None:
    """Print the result, and write it as JSON."""
    from app.server.output_file import is_stream, open_output
    from training.errors import refusing_output
    from training.retraining.comparison import conclude, tabulate_quality
    from training.retraining.comparison_page import COMPARISON_FILE

    comparison, written = candidate.comparison, candidate.written
    version, page = written.manifest["version"], written.folder / COMPARISON_FILE
    if options.json is not None:
        outcome = {"candidate": version, "promoted": not obstacle, "not_promoted_because": obstacle}
        files = {"folder": str(written.folder), "comparison": str(page)}
        text = json.dumps(outcome | files | comparison.as_figures(), indent=1, allow_nan=False)
        with refusing_output(options.json), open_output(options.json) as file:
            file.write(f"{text}\n")
    table = tabulate_quality(comparison)
    # A program that reads the JSON from a pipe gets nothing else.
    shown = sys.stderr if options.json is not None and is_stream(options.json) else sys.stdout
    print(*([table, ""] if table else []), *conclude(comparison), "", page, "", sep="\n", file=shown)
    if obstacle:
        print(
            f"{version} was not promoted: {obstacle}.\n"
            f"To make it live: python -m training promote {version} --models {options.models}",
            file=shown,
        )
    else:
        print(f"{version} was promoted; a running service loads it within two seconds", file=shown)


def past_time(text: str) -> float:
    """Parse a past time, as seconds since 1970; a day begins at midnight in UTC.

    Examples
    --------
    >>> past_time("1970-01-02")
    86400.0
    >>> time.time() - past_time("24h") < 86401
    True
    """
    try:
        return parse_timestamp(text, time.time())
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time; write 7d, 24h, 2026-01-31 or 2026-01-31T12:00"
        ) from None
