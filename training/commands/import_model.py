"""``import``: build a bundle from an ``IsolationForest`` that was fitted elsewhere."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import count_of
from training.commands.options import (
    add_consent_options,
    add_data_options,
    add_drift_options,
    add_models_option,
    read_consent,
    read_dialect,
)
from training.errors import BadArgument

if TYPE_CHECKING:
    from training.data.dataset import Dataset


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "import",
        help="build a bundle from a fitted IsolationForest; the first goes live",
        description="A joblib file runs code when it is opened: import only from people you trust.",
        allow_abbrev=False,
    )
    parser.add_argument("--model", metavar="FILE", type=Path, required=True, help="joblib file with the estimator")
    add_data_options(parser)
    add_drift_options(parser)
    add_models_option(parser)
    add_consent_options(parser, "the new version")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Open the estimator, check it against the data, and write a bundle."""
    from app.errors import InvalidForest
    from training.bundle.summary import summarise
    from training.bundle.write import TrainedModel, write_bundle
    from training.console import NOT_PROMOTED, show_calibration
    from training.data.dataset import check_label, read_test_data
    from training.drift.calibrate import DriftParameters
    from training.fitting.compile import compile_forest

    print(
        "training: a joblib file runs code when it is opened; import only from people you trust.",
        file=sys.stderr,
    )
    drift = None if options.no_drift else DriftParameters(options.drift_ert, options.drift_window)
    estimator = _open(options.model)
    try:
        compile_forest(estimator)
    except InvalidForest as error:
        raise BadArgument(f"--model {options.model}: {error}") from None
    training = _read_matching_data(estimator, options)
    test = read_test_data(options.test, training, options.label, read_dialect(options)) if options.test else None
    check_label(options.label, training, test)
    model = TrainedModel(options.name, estimator, training, test)
    with show_calibration() as show_part:
        written = write_bundle(
            options.models, model, drift=drift, on_calibration=show_part, require_consent=read_consent(options).require
        )
    print(summarise(written))
    return NOT_PROMOTED if options.promote and written.not_promoted else 0


def _open(file: Path) -> Any:
    """Unpickle whatever the file holds."""
    import warnings

    import joblib
    import sklearn
    from sklearn.exceptions import InconsistentVersionWarning

    if not file.is_file():
        raise BadArgument(f"--model {file} is not a file; name a joblib file that holds an IsolationForest.")
    try:
        with warnings.catch_warnings():
            # Before anything is written, the forest is compared with the scikit-learn that is installed here.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            return joblib.load(file)
    # Unpickling runs the file's own code, which can raise anything.
    except Exception as error:
        raise BadArgument(
            f"--model {file} cannot be opened with scikit-learn {sklearn.__version__} "
            f"({type(error).__name__}: {error}); store it again with joblib.dump and this release."
        ) from error


def _read_matching_data(estimator: Any, options: argparse.Namespace) -> Dataset:
    """Read the training data as the estimator saw them: by name if it has names, else by position."""
    from app.model.schema import Features
    from training.data.dataset import read_features, read_training_data
    from training.data.tables import open_csv_file

    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        wanted = [str(name) for name in names]
        file = open_csv_file(options.train, read_dialect(options))
        _check_choice(wanted, file.header, options)
        return read_features(file, Features.of_names(tuple(wanted)), options.label)
    training = read_training_data(
        options.train, options.features, options.drop, options.label, dialect=read_dialect(options)
    )
    if training.levels:
        raise BadArgument(
            f"--model {options.model} takes numbers, and {options.train} has others in {', '.join(training.levels)}: "
            "leave them out with --drop."
        )
    if len(training.names) != estimator.n_features_in_:
        raise BadArgument(
            f"--model {options.model} takes {count_of(estimator.n_features_in_, 'feature')}, {options.train} has "
            f"{len(training.names)} ({', '.join(training.names)}); choose columns with --features or --drop."
        )
    print(
        f"training: the forest in {options.model} knows no column names; it is assumed that it was fitted on "
        f"{', '.join(training.names)}, in this order. If not, name its columns in order with --features.",
        file=sys.stderr,
    )
    return training


def _check_choice(wanted: Sequence[str], header: Sequence[str], options: argparse.Namespace) -> None:
    """Check that --features and --drop leave the columns that a forest was fitted on; their order does not matter.

    Parameters
    ----------
    wanted
        The columns that the forest was fitted on.
    header
        The columns of the file.
    options
        The options of the command.

    Raises
    ------
    BadArgument
        If they leave out one of these columns, or choose another one.
    """
    option, named = ("--features", options.features) if options.features else ("--drop", options.drop or ())
    if unknown := [name for name in named if name not in header]:
        raise BadArgument(f"{option}: {options.train} has no column {unknown[0]}; its columns are {', '.join(header)}.")
    kept = options.features or [name for name in wanted if name not in named]
    if set(kept) != set(wanted):
        raise BadArgument(
            f"--model {options.model} was fitted on {', '.join(wanted)}, but {option} leaves "
            f"{', '.join(kept) or 'none of them'}; without it, the columns are found by name."
        )
