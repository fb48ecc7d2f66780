"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from app.model.current_model import CURRENT_LINK

# The name becomes part of addresses and of metric labels.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def add_models_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--models``."""
    parser.add_argument(
        "--models",
        metavar="DIR",
        type=Path,
        default=Path(os.environ.get("MODEL_DIR") or "models"),
        help=f"folder of the bundles and of the link {CURRENT_LINK} (default: $MODEL_DIR, else models)",
    )


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add what names the training data and the model made of them."""
    add_table_options(parser)
    parser.add_argument("--name", type=model_name, default="isowatch", help="what the model is called (%(default)s)")


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add what names the data: the files, and which of their columns are features."""
    parser.add_argument("--train", metavar="FILE", type=Path, required=True, help="CSV file with the training rows")
    parser.add_argument("--test", metavar="FILE", type=Path, help="CSV file with rows to test on")
    columns = parser.add_mutually_exclusive_group()
    columns.add_argument("--features", metavar="A,B", type=column_names, help="columns to use, in this order")
    columns.add_argument("--drop", metavar="A,B", type=column_names, help="columns not to use")


def column_names(text: str) -> list[str]:
    """Split a list of column names.

    Examples
    --------
    >>> column_names("mean, sd")
    ['mean', 'sd']
    """
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of column names; write a,b.")
    return names


def model_name(text: str) -> str:
    """Check a model name.

    Examples
    --------
    >>> model_name("credits-2")
    'credits-2'
    """
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a model name; use letters, digits, dots, hyphens and underscores, at most 100."
        )
    return text
