"""Command-line options that several commands share, and the parsers of their values."""

from __future__ import annotations

import argparse
import csv
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from app.model.live_model import CURRENT_LINK
from app.model.schema import MAX_LEVELS, MAX_ONE_HOT_LEVELS
from app.model.store.promotion_rules import Consent
from training.data.addresses import RemoteFile, TableFile
from training.fitting.fit import ForestParameters

if TYPE_CHECKING:
    from training.data.choices import Choices
    from training.data.source import Dialect

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


def add_consent_options(parser: argparse.ArgumentParser, what: str | None) -> None:
    """Add ``--replace`` and ``--force``, and ``--promote`` for commands that make a version.

    Parameters
    ----------
    parser
        Parser of the command.
    what
        What ``--promote`` makes live; None for a command that always promotes.
    """
    if what:
        parser.add_argument("--promote", action="store_true", help=f"make {what} live even if another version is live")
    parser.add_argument(
        "--replace", action="store_true", help="promote a model whose input columns or name differ from the live one's"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="promote a model of few different rows, one score, or that flags nothing or everything",
    )


def read_consent(options: argparse.Namespace) -> Consent:
    """Return what a person consented to."""
    return Consent(options.promote, options.replace, options.force)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the training data, their labels and the name of the model."""
    add_table_options(parser)
    add_label_option(parser)
    parser.add_argument("--name", type=model_name, default="isowatch", help="name of the model (%(default)s)")


def add_label_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--label``."""
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="column of known labels, 0 inlier and 1 outlier, or 1 and -1; used for evaluation only",
    )


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the files and for which of their columns are features."""
    parser.add_argument("--train", metavar="FILE", type=table_file, required=True, help="table with the training rows")
    parser.add_argument("--test", metavar="FILE", type=table_file, help="table with rows to test on")
    columns = parser.add_mutually_exclusive_group()
    columns.add_argument("--features", metavar="A,B", type=column_names, help="columns to use, in this order")
    columns.add_argument("--drop", metavar="A,B", type=column_names, help="columns not to use")
    add_dialect_options(parser)


def add_column_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for what columns hold; the values of an imported model are numbers."""
    parser.add_argument(
        "--category", metavar="A,B", type=column_names, default=[], help="columns of numbers that are categories"
    )
    parser.add_argument(
        "--max-levels",
        metavar="N",
        type=number_of_levels,
        default=MAX_ONE_HOT_LEVELS,
        help="a category with more levels becomes one feature, the share of the level (%(default)s)",
    )
    parser.add_argument(
        "--time-parts",
        metavar="A,B",
        type=column_names,
        default=[],
        help="columns of times, of which hour of day and day of week are used",
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="accept rows without a value where the training rows have all"
    )


def read_choices(options: argparse.Namespace) -> Choices:
    """Return what was decided about the columns."""
    from training.data.choices import Choices

    return Choices(tuple(options.category), options.allow_missing, options.max_levels, tuple(options.time_parts))


def add_dialect_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for how CSV files are written."""
    parser.add_argument("--sep", metavar="C", type=separator, help="what separates cells (guessed from the header)")
    parser.add_argument("--decimal", choices=[".", ","], default="", help="decimal point or comma (guessed)")
    parser.add_argument("--thousands", metavar="C", type=separator, help="what separates thousands (guessed)")
    parser.add_argument("--encoding", metavar="NAME", default="", help="of the text, such as cp1252 (guessed)")


def read_dialect(options: argparse.Namespace) -> Dialect:
    """Return how CSV files are written, as far as options say so."""
    from training.data.source import Dialect

    return Dialect(options.sep or "", options.decimal, options.thousands, options.encoding)


def add_drift_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the drift detectors."""
    parser.add_argument(
        "--drift-ert",
        metavar="ROWS",
        type=int,
        default=5000,
        help="expected run time: rows between first signals of a drift detector without drift (%(default)s)",
    )
    parser.add_argument(
        "--drift-window",
        metavar="ROWS",
        type=int,
        default=100,
        help="how many of the latest rows drift detectors compare (%(default)s)",
    )
    parser.add_argument(
        "--no-drift", action="store_true", help="calibrate no drift detectors, which takes some seconds"
    )


def table_file(text: str) -> TableFile:
    """Parse where a table is: a path, or an address such as ``s3://bucket/rows.csv``."""
    return RemoteFile(text) if "://" in text else Path(text)


def separator(text: str) -> str:
    r"""Parse what separates cells or groups of digits: one character, which may be written as ``\t``.

    Examples
    --------
    >>> separator("\\t"), separator(";")
    ('\t', ';')
    """
    character = "\t" if text == "\\t" else text
    if len(character) != 1 or character in '"\r\n':
        raise argparse.ArgumentTypeError(f"{text!r} is not a separator; use one character, or \\t for a tab")
    return character


def number_of_levels(text: str) -> int:
    """Parse how many levels of a category become features of their own.

    Examples
    --------
    >>> number_of_levels("20")
    20
    """
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LEVELS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of levels; use 1 to {MAX_LEVELS}")
    return int(text)


def column_names(text: str) -> list[str]:
    """Parse a list of column names.

    Examples
    --------
    >>> column_names("mean, sd")
    ['mean', 'sd']
    >>> column_names('id,"Amount, EUR"')
    ['id', 'Amount, EUR']
    """
    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [""])]
    if "" in names:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of column names; write a,b.")
    return names


def model_name(text: str) -> str:
    """Parse a model name.

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


def add_forest_options(parser: argparse.ArgumentParser, defaults: ForestParameters | None) -> None:
    """Add one option for each parameter of the forest.

    Parameters
    ----------
    parser
        Parser of the command.
    defaults
        None if parameters that are not given are the live model's; they then are None among the options.
    """
    default = "%(default)s" if defaults else "default: the live model's"
    parser.add_argument(
        "--contamination",
        metavar="SHARE",
        type=_number_or_auto,
        default=defaults and defaults.contamination,
        help=f"share of the training rows to flag, above 0 and up to 0.5, or auto ({default})",
    )
    parser.add_argument(
        "--estimators",
        metavar="N",
        type=_count_or_auto if defaults else int,
        default=defaults and defaults.n_estimators,
        help="trees"
        + (", or auto for as many as two halves need to agree on the flagged rows" if defaults else "")
        + f" ({default})",
    )
    parser.add_argument(
        "--max-samples",
        metavar="N",
        type=_count_or_auto,
        default=defaults and defaults.max_samples,
        help=f"training rows that each tree sees; auto is 256, or all if there are fewer ({default})",
    )
    parser.add_argument(
        "--max-features",
        metavar="SHARE",
        type=float,
        default=defaults and defaults.max_features,
        help=f"share of the features that each tree sees, above 0 and up to 1 ({default})",
    )
    parser.add_argument(
        "--bootstrap",
        action="store_true" if defaults else argparse.BooleanOptionalAction,
        default=defaults and defaults.bootstrap,
        help="allow a tree to draw the same row more than once" + ("" if defaults else f" ({default})"),
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=defaults and defaults.random_state,
        help=f"the same seed and data give the same forest ({default})",
    )


def read_forest_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the chosen values by the names of ``ForestParameters``."""
    return {
        "contamination": options.contamination,
        "n_estimators": options.estimators,
        "max_samples": options.max_samples,
        "max_features": options.max_features,
        "bootstrap": options.bootstrap,
        "random_state": options.seed,
    }


def _number_or_auto(text: str) -> float | Literal["auto"]:
    """Parse a share; its range is checked with the other parameters."""
    return "auto" if text == "auto" else float(text)


def _count_or_auto(text: str) -> int | Literal["auto"]:
    """Parse a number of rows; its range is checked with the other parameters."""
    return "auto" if text == "auto" else int(text)


# argparse names the type in its message.
_number_or_auto.__name__, _count_or_auto.__name__ = "number or auto", "whole number or auto"
