"""``explain``: write a page about which columns matter, and why the most abnormal rows of a file are abnormal."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.options import add_dialect_options, add_models_option, read_dialect, table_file


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "explain",
        help="write a page that explains the live model's answers to a CSV file",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--in", dest="source", metavar="FILE", type=table_file, required=True, help="table with the rows"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("reports"), help="folder of the page (default: %(default)s)"
    )
    add_dialect_options(parser)
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read the file, explain it, and write the page."""
    from app.model.bundle import read_bundle
    from app.model.live_model import CURRENT_LINK
    from training.console import announce
    from training.data.dataset import read_features
    from training.data.tables import open_csv_file
    from training.pages.explanation import EXPLANATION_FILE, explain_file
    from training.pages.page import write_page

    bundle = read_bundle(options.models / CURRENT_LINK)
    announce(f"Reading {options.source}")
    data = read_features(open_csv_file(options.source, read_dialect(options)), bundle.features)
    announce("Explaining")
    print(write_page(options.out / EXPLANATION_FILE, explain_file(bundle, data)))
    return 0
