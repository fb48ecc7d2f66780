"""``drift``: compare two files of rows, or replay a file through the live model's drift detectors."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from training.commands.options import add_models_option, column_names, table_file

# Exit status by which scripts distinguish drift from failure.
DRIFTED = 3


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "drift",
        help="compare two CSV files, or replay one through the live model's drift detectors",
        description="Compare two CSV files (exit status 3 if a feature has changed), or replay one through "
        "the live model's drift detectors.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("reports"), help="folder of the page (default: %(default)s)"
    )
    _add_comparison_options(parser)
    _add_replay_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare or replay, depending on the options."""
    from training.errors import BadArgument

    if options.replay and not (options.reference or options.current):
        return _replay(options)
    if options.reference and options.current and not options.replay:
        return _compare(options)
    raise BadArgument("drift takes either --reference FILE and --current FILE, or --replay FILE.")


def _add_comparison_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for comparing two files."""
    group = parser.add_argument_group("comparing two files")
    group.add_argument(
        "--reference", metavar="FILE", type=table_file, help="CSV file to compare with, e.g. the training rows"
    )
    group.add_argument("--current", metavar="FILE", type=table_file, help="CSV file that may have changed")
    group.add_argument(
        "--min-effect",
        metavar="DISTANCE",
        type=distance,
        default=0.1,
        help="Kolmogorov-Smirnov distance (of categories, total variation) up to which a change does not matter, from "
        "0 to below 1 (%(default)s)",
    )
    group.add_argument(
        "--category", metavar="A,B", type=column_names, default=[], help="columns of numbers that are categories"
    )
    columns = group.add_mutually_exclusive_group()
    columns.add_argument("--features", metavar="A,B", type=column_names, help="columns to compare")
    columns.add_argument("--drop", metavar="A,B", type=column_names, help="columns not to compare")


def _add_replay_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for a replay; the service's settings in the environment are the defaults."""
    group = parser.add_argument_group("replaying a file")
    group.add_argument(
        "--replay", metavar="FILE", type=table_file, help="CSV file with rows in the order of their arrival"
    )
    add_models_option(parser)
    group.add_argument("--version", metavar="VERSION", help="whose detectors to use (default: the live one's)")
    group.add_argument(
        "--rows-per-second",
        metavar="N",
        type=positive_number,
        default=os.environ.get("DRIFT_ROWS_PER_SECOND") or "100",
        help="how many rows per second the detectors process at most (default: $DRIFT_ROWS_PER_SECOND, else 100)",
    )
    group.add_argument(
        "--false-alarm-days",
        metavar="DAYS",
        type=positive_number,
        default=os.environ.get("DRIFT_FALSE_ALARM_DAYS") or "30",
        help="at most one false event in so many days (default: $DRIFT_FALSE_ALARM_DAYS, else 30)",
    )


def _compare(options: argparse.Namespace) -> int:
    """Compare two files, write the page, and print a summary."""
    from training.console import announce
    from training.data.choices import Choices
    from training.data.compared_files import read_files_to_compare
    from training.drift.compare import compare_files, conclude, tabulate_comparison
    from training.pages.drift import DRIFT_FILE, compose_drift_page
    from training.pages.page import write_page

    announce(f"Reading {options.reference} and {options.current}")
    choices = Choices(tuple(options.category))
    reference, current = read_files_to_compare(
        options.reference, options.current, options.features, options.drop, choices
    )
    announce("Comparing")
    comparison = compare_files(reference, current, options.min_effect)
    written = write_page(options.out / DRIFT_FILE, compose_drift_page(comparison))
    print(tabulate_comparison(comparison), "", *conclude(comparison), "", written, sep="\n")
    return DRIFTED if comparison.changed else 0


def _replay(options: argparse.Namespace) -> int:
    """Replay a file, write the page, and print a summary."""
    from app.drift.calibration import Calibration
    from app.drift.monitor import DriftMonitor
    from app.model.bundle import DRIFT_FILE, REFERENCE_FILE, read_bundle
    from app.model.live_model import CURRENT_LINK
    from app.model.store.store import ModelStore
    from training.console import announce, show_rows
    from training.data.dataset import read_features
    from training.data.tables import open_csv_file
    from training.drift.replay import replay, tabulate_replay
    from training.pages.page import write_page
    from training.pages.replay import REPLAY_FILE, compose_replay_page

    folder = ModelStore(options.models).find(options.version) if options.version else options.models / CURRENT_LINK
    bundle = read_bundle(folder)
    calibration = Calibration.read(folder / DRIFT_FILE, folder / REFERENCE_FILE)
    features = bundle.features
    watch = DriftMonitor(
        calibration,
        features.names,
        options.rows_per_second,
        options.false_alarm_days,
        fill=features.fill_missing,
        encode=bundle.forest.to_features,
    )
    announce(f"Reading {options.replay}")
    data = read_features(open_csv_file(options.replay), bundle.features)
    with show_rows(len(data)) as show_progress:
        replayed = replay(bundle.forest, watch, data, show_progress)
    written = write_page(options.out / REPLAY_FILE, compose_replay_page(replayed, f"{bundle.name} {bundle.version}"))
    print(tabulate_replay(replayed), "", written, sep="\n")
    return 0


def distance(text: str) -> float:
    """Parse a Kolmogorov-Smirnov distance.

    Examples
    --------
    >>> distance("0.1")
    0.1
    """
    number = _read_number(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a distance; use a number from 0 to below 1, such as 0.1.")
    return number


def positive_number(text: str) -> float:
    """Parse a number above 0.

    Examples
    --------
    >>> positive_number("0.5")
    0.5
    """
    number = _read_number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0; use one, such as 30.")
    return number


def _read_number(text: str) -> float:
    """Parse a number; other text becomes NaN, which is in no range."""
    try:
        return float(text)
    except ValueError:
        return math.nan
