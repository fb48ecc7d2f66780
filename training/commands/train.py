"""``train``: fit an Isolation Forest on a CSV file and make it the live model."""

from __future__ import annotations

import argparse
from typing import Literal

from training.commands.options import add_data_options, add_models_option


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("train", help="fit a forest on a CSV file and make it live", allow_abbrev=False)
    add_data_options(parser)
    parser.add_argument(
        "--contamination",
        metavar="SHARE",
        type=_number_or_auto,
        default="auto",
        help="share of the training rows to flag, above 0 and up to 0.5, or auto (%(default)s)",
    )
    parser.add_argument("--estimators", metavar="N", type=int, default=100, help="trees (%(default)s)")
    parser.add_argument(
        "--max-samples",
        metavar="N",
        type=_count_or_auto,
        default="auto",
        help="training rows that each tree sees; auto is 256, or all if there are fewer (%(default)s)",
    )
    parser.add_argument(
        "--max-features",
        metavar="SHARE",
        type=float,
        default=1.0,
        help="share of the features that each tree sees, above 0 and up to 1 (%(default)s)",
    )
    parser.add_argument("--bootstrap", action="store_true", help="let a tree draw the same row more than once")
    parser.add_argument(
        "--seed", type=int, default=16, help="the same seed and data give the same forest (%(default)s)"
    )
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read, fit, evaluate, write."""
    from training.dataset import check_label, read_test_data, read_training_data
    from training.fit import fit
    from training.parameters import ForestParameters
    from training.progress import announce, show_trees
    from training.summary import summarise
    from training.write_bundle import TrainedModel, write_bundle

    parameters = ForestParameters(
        contamination=options.contamination,
        n_estimators=options.estimators,
        max_samples=options.max_samples,
        max_features=options.max_features,
        bootstrap=options.bootstrap,
        random_state=options.seed,
    )
    announce(f"Reading {options.train}")
    training = read_training_data(options.train, options.features, options.drop, options.label)
    test = read_test_data(options.test, training, options.label) if options.test else None
    check_label(options.label, training, test)
    with show_trees(parameters.n_estimators) as on_progress:
        estimator = fit(training.rows, parameters, on_progress)
    announce("Evaluating and writing")
    written = write_bundle(options.models, TrainedModel(options.name, estimator, training, test))
    print(summarise(written.manifest, written.folder))
    return 0


def _number_or_auto(text: str) -> float | Literal["auto"]:
    """Read a share; its range is checked with the other parameters."""
    return "auto" if text == "auto" else float(text)


def _count_or_auto(text: str) -> int | Literal["auto"]:
    """Read a number of rows; its range is checked with the other parameters."""
    return "auto" if text == "auto" else int(text)


# argparse names the type in its message.
_number_or_auto.__name__, _count_or_auto.__name__ = "number or auto", "whole number or auto"
