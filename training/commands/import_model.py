"""``import``: build a bundle from an ``IsolationForest``, or a ``Pipeline`` that ends in one, fitted elsewhere."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from training.commands.options import (
    add_consent_options,
    add_data_options,
    add_drift_options,
    add_models_option,
    read_consent,
    read_dialect,
)
from training.errors import BadArgument


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "import",
        help="build a bundle from a fitted IsolationForest or a Pipeline that ends in one; the first goes live",
        description="A joblib file runs code when it is opened: import only from people you trust.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--model", metavar="FILE", type=Path, required=True, help="joblib file with the forest or the pipeline"
    )
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
    from training.commands.imported_rows import read_rows_of_forest, read_rows_of_pipeline
    from training.console import NOT_PROMOTED, show_calibration
    from training.data.dataset import check_label, read_test_data
    from training.drift.calibrate import DriftParameters
    from training.fitting.compile import compile_forest
    from training.fitting.pipeline import find_forest, flatten

    print(
        "training: a joblib file runs code when it is opened; import only from people you trust.",
        file=sys.stderr,
    )
    drift = None if options.no_drift else DriftParameters(options.drift_ert, options.drift_window)
    estimator = flatten(_open(options.model))
    forest, pipeline = find_forest(estimator), None
    try:
        compile_forest(estimator if forest is None else forest)
        assert forest is not None, "compiled"
        if forest is estimator:
            training = read_rows_of_forest(forest, options)
        else:
            pipeline, training = read_rows_of_pipeline(estimator, options)
    except InvalidForest as error:
        raise BadArgument(f"--model {options.model}: {error}") from None
    test = read_test_data(options.test, training, options.label, read_dialect(options)) if options.test else None
    check_label(options.label, training, test)
    model = TrainedModel(options.name, forest, training, test, pipeline=pipeline)
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
        raise BadArgument(
            f"--model {file} is not a file; name a joblib file with an IsolationForest, or a Pipeline that ends in one."
        )
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
