"""``explore``: write a page that describes a data set."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.options import (
    add_column_options,
    add_label_option,
    add_table_options,
    read_choices,
    read_dialect,
)

if TYPE_CHECKING:
    from training.data.dataset import Dataset


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("explore", help="write a page that describes a CSV file", allow_abbrev=False)
    add_table_options(parser)
    add_column_options(parser)
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
    print(write_exploration(options.out, _only_complete(training), _only_complete(test) if test else None))
    return 0


def _only_complete(data: Dataset) -> Dataset:
    """Return the rows without a missing value, which plots and statistics need; say how many were left out."""
    import numpy as np

    from app.errors import count_of
    from training.console import warn
    from training.errors import BadData

    are_complete = ~np.isnan(data.rows).any(axis=1)
    if are_complete.all():
        return data
    if not are_complete.any():
        raise BadData(f"{data.path} has no row without a missing value; leave columns out with --drop.")
    warn(f"{count_of(int((~are_complete).sum()), 'row')} of {data.path} with missing values are left out of the page.")
    labels = replace(data.labels, is_outlier=data.labels.is_outlier[are_complete]) if data.labels else None
    return replace(data, rows=data.rows[are_complete], labels=labels)
