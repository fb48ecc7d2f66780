"""Options that say how a forest is grown."""

from __future__ import annotations

import argparse
from typing import Any, Literal

from training.parameters import ForestParameters


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
