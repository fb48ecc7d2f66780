"""``explore``: write a page that describes a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.options import add_label_option, add_table_options, read_choices, read_dialect


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("explore", help="write a page that describes a CSV file", allow_abbrev=False)
    add_table_options(parser)
    add_label_option(parser)
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("reports"), help="folder of the page (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read the files and write the page."""
    from training.console import announce
    from training.data.dataset import read_test_data, read_training_data
    from training.pages.exploration import write_exploration

    announce(f"Reading {options.train}")
    dialect = read_dialect(options)
    training = read_training_data(
        options.train, options.features, options.drop, options.label, read_choices(options), dialect
    )
    test = read_test_data(options.test, training, options.label, dialect) if options.test else None
    announce("Drawing")
    print(write_exploration(options.out, training, test))
    return 0
