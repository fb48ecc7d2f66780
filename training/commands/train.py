"""``train``: fit an Isolation Forest on a CSV file. It goes live if it is the first, or with ``--promote``."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from training.commands.metrics_options import add_metrics_options
from training.commands.options import (
    add_column_options,
    add_consent_options,
    add_data_options,
    add_drift_options,
    add_forest_options,
    add_models_option,
    read_choices,
    read_consent,
    read_dialect,
    read_forest_options,
)
from training.console import NOT_PROMOTED, REFUSALS, refuse
from training.errors import BadArgument
from training.fitting.fit import ForestParameters

# Scores of so many rows determine the share that is flagged to 2 %, if it is 1 %; and evaluating them takes a minute.
MAX_ROWS = 1_000_000

# As few as training accepts.
_LEAST_MAX_ROWS = 2

if TYPE_CHECKING:
    from training.bundle.write import WrittenBundle
    from training.metrics.monitor import TreeModelMonitor


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("train", help="fit a forest on a CSV file; the first goes live", allow_abbrev=False)
    add_data_options(parser)
    parser.add_argument(
        "--exact-threshold",
        action="store_true",
        help="of a table of which a sample is drawn, flag this share of all rows, which are read twice more",
    )
    parser.add_argument(
        "--max-rows",
        metavar="N",
        type=_number_of_rows,
        default=MAX_ROWS,
        help="train on so many rows at most; of more, a uniform sample is drawn with --seed (%(default)s)",
    )
    add_column_options(parser)
    add_forest_options(parser, ForestParameters())
    add_drift_options(parser)
    add_models_option(parser)
    add_consent_options(parser, "the new version")
    add_metrics_options(parser)
    parser.set_defaults(run=run)


def _number_of_rows(text: str) -> int:
    """Parse how many rows are read at most."""
    if not text.isdecimal() or int(text) < _LEAST_MAX_ROWS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows; use {_LEAST_MAX_ROWS} or more")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Train and publish the metrics of the training."""
    from training.bundle.summary import summarise
    from training.metrics.monitor import TreeModelMonitor
    from training.metrics.publication import MetricsPublication

    monitor = TreeModelMonitor()
    publication = MetricsPublication(
        host=options.metrics_host,
        port=options.metrics_port,
        hold_seconds=options.metrics_hold,
        pushgateway_url=os.environ.get("PUSHGATEWAY_URL", ""),
        model_name=options.name,
    )
    with publication.publish(monitor):
        try:
            with monitor.watch_run():
                written = _train(options, monitor)
        except REFUSALS as error:
            # Printed here, so that the reason is visible while the metrics are held.
            return refuse(error)
        print(summarise(written, monitor.stage_seconds), flush=True)
    return NOT_PROMOTED if options.promote and written.not_promoted else 0


def _train(options: argparse.Namespace, monitor: TreeModelMonitor) -> WrittenBundle:
    """Read the data, fit a forest, evaluate it, and write a bundle."""
    from training.bundle.write import TrainedModel, write_bundle
    from training.console import announce, show_calibration, show_read_rows, show_trees
    from training.data.choices import SampleOptions
    from training.data.dataset import check_label, read_test_data, read_training_data
    from training.drift.calibrate import DriftParameters
    from training.fitting.evaluate import EnsembleShape
    from training.fitting.fit import AUTO_TREES, fit, fit_until_agreed
    from training.metrics.monitor import Stage

    is_auto = options.estimators == "auto"
    chosen = read_forest_options(options) | ({"n_estimators": AUTO_TREES[-1]} if is_auto else {})
    parameters = ForestParameters(**chosen)
    if options.exact_threshold and parameters.contamination == "auto":
        raise BadArgument("--exact-threshold finds the score that a share means; name the share with --contamination.")
    drift = None if options.no_drift else DriftParameters(options.drift_ert, options.drift_window)
    monitor.begin_stage(Stage.READING)
    dialect = read_dialect(options)
    with show_read_rows(f"Reading {options.train}") as show_read:
        training = read_training_data(
            options.train,
            options.features,
            options.drop,
            options.label,
            read_choices(options),
            dialect,
            SampleOptions(options.max_rows, parameters.random_state, show_read),
        )
    test = read_test_data(options.test, training, options.label, dialect) if options.test else None
    check_label(options.label, training, test)
    monitor.record_rows(len(training))
    monitor.begin_stage(Stage.FITTING)
    with show_trees(parameters.n_estimators, is_most=is_auto) as show:

        def show_progress(n_fitted: int) -> None:
            show(n_fitted)
            monitor.record_trees(n_fitted, parameters.n_estimators)

        curve: list[tuple[int, float | None]] = []
        if is_auto:
            estimator, curve = fit_until_agreed(training.matrix, parameters, show_progress)
        else:
            estimator = fit(training.matrix, parameters, show_progress)
    exact = None
    if options.exact_threshold and training.origins and training.origins.seed is not None:
        from training.fitting.exact_threshold import find_exact_threshold

        with show_read_rows("Scoring all rows twice") as show_scored:
            exact = find_exact_threshold(estimator, training, dialect, show_scored)
    monitor.record_ensemble(EnsembleShape.of(estimator, training.matrix_names))
    announce("Evaluating and writing")
    model = TrainedModel(options.name, estimator, training, test, agreement_curve=curve, exact_threshold=exact)
    with show_calibration() as show_part:
        consent = read_consent(options).require
        written = write_bundle(options.models, model, monitor.begin_stage, drift, show_part, require_consent=consent)
    monitor.record_evaluation(written.manifest["evaluation"])
    return written
