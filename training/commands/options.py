"""Options that several commands share.

Options that say how a forest is grown.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Any, Literal

from app.model.live_model import CURRENT_LINK
from training.fitting.fit import ForestParameters

# The name becomes part of addresses and of metric labels.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_LARGEST_PORT = 65_535

# A day. Whoever wants the figures for longer wants the Pushgateway.
_LONGEST_WAIT_SECONDS = 86_400


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
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="column of known labels, 0 inlier and 1 outlier, or 1 and -1: to judge the model, never to fit it",
    )
    parser.add_argument("--name", type=model_name, default="isowatch", help="what the model is called (%(default)s)")


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add what names the data: the files, and which of their columns are features."""
    parser.add_argument("--train", metavar="FILE", type=Path, required=True, help="CSV file with the training rows")
    parser.add_argument("--test", metavar="FILE", type=Path, help="CSV file with rows to test on")
    columns = parser.add_mutually_exclusive_group()
    columns.add_argument("--features", metavar="A,B", type=column_names, help="columns to use, in this order")
    columns.add_argument("--drop", metavar="A,B", type=column_names, help="columns not to use")


def add_drift_options(parser: argparse.ArgumentParser) -> None:
    """Add what the drift detectors promise."""
    parser.add_argument(
        "--drift-ert",
        metavar="ROWS",
        type=int,
        default=5000,
        help="rows between first alarms of a drift detector while nothing changes (%(default)s)",
    )
    parser.add_argument(
        "--drift-window",
        metavar="ROWS",
        type=int,
        default=100,
        help="how many of the last rows drift detectors look at (%(default)s)",
    )
    parser.add_argument(
        "--no-drift", action="store_true", help="calibrate no drift detectors, which takes some seconds"
    )


def add_metrics_options(parser: argparse.ArgumentParser) -> None:
    """Add where the metrics of a training can be had; a default of the environment suits containers."""
    parser.add_argument(
        "--metrics-port",
        metavar="PORT",
        type=port_number,
        default=os.environ.get("TRAINING_METRICS_PORT") or "8002",
        help="where Prometheus finds the metrics of the training, 0 for none "
        "(default: $TRAINING_METRICS_PORT, else 8002)",
    )
    parser.add_argument(
        "--metrics-host",
        metavar="HOST",
        default=os.environ.get("TRAINING_METRICS_HOST") or "127.0.0.1",
        help="the address that the metrics are served on; 0.0.0.0 for all of the machine "
        "(default: $TRAINING_METRICS_HOST, else 127.0.0.1)",
    )
    parser.add_argument(
        "--metrics-hold",
        metavar="SECONDS",
        type=seconds,
        default=os.environ.get("TRAINING_METRICS_HOLD") or "0",
        help="how long the metrics stay there after the training has ended (default: $TRAINING_METRICS_HOLD, else 0)",
    )


def port_number(text: str) -> int:
    """Check a port.

    Examples
    --------
    >>> port_number("8002")
    8002
    """
    if not text.isdecimal() or int(text) > _LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 1 to {_LARGEST_PORT}, or 0 for no metrics.")
    return int(text)


def seconds(text: str) -> float:
    """Check a time to wait.

    Examples
    --------
    >>> seconds("2.5")
    2.5
    """
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= _LONGEST_WAIT_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds; use 0 to {_LONGEST_WAIT_SECONDS}.")
    return number


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


def add_growth_options(parser: argparse.ArgumentParser, defaults: ForestParameters | None) -> None:
    """Add one option for each parameter.

    Parameters
    ----------
    parser
        Of the command.
    defaults
        None if what is not given is taken from the live model; it then is None among the options too.
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
        "--estimators", metavar="N", type=int, default=defaults and defaults.n_estimators, help=f"trees ({default})"
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
        help="let a tree draw the same row more than once" + ("" if defaults else f" ({default})"),
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=defaults and defaults.random_state,
        help=f"the same seed and data give the same forest ({default})",
    )


def read_growth(options: argparse.Namespace) -> dict[str, Any]:
    """Give what was chosen by the names of ``ForestParameters``."""
    return {
        "contamination": options.contamination,
        "n_estimators": options.estimators,
        "max_samples": options.max_samples,
        "max_features": options.max_features,
        "bootstrap": options.bootstrap,
        "random_state": options.seed,
    }


def _number_or_auto(text: str) -> float | Literal["auto"]:
    """Read a share; its range is checked with the other parameters."""
    return "auto" if text == "auto" else float(text)


def _count_or_auto(text: str) -> int | Literal["auto"]:
    """Read a number of rows; its range is checked with the other parameters."""
    return "auto" if text == "auto" else int(text)


# argparse names the type in its message.
_number_or_auto.__name__, _count_or_auto.__name__ = "number or auto", "whole number or auto"
