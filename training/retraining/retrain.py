"""Train a candidate on records, and compare it with the live model; the candidate stays in the store, not live.

The candidate has the live model's parameters unless others are chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from app.errors import NotPromoted
from app.model.bundle import Bundle
from app.model.forest import Forest
from app.model.manifest_check import columns_to_record
from app.model.store.promotion_rules import Manifest
from app.records.reading import LabelledRows, Period, RecordReader
from app.records.timestamps import SECONDS_PER_DAY
from training.bundle.write import TrainedModel, WrittenBundle, write_bundle
from training.console import announce, show_calibration, show_read_rows, show_trees
from training.drift.calibrate import MIN_ROWS_FOR_DRIFT, DriftParameters
from training.fitting.compile import compile_forest
from training.fitting.evaluate import EnsembleShape
from training.fitting.fit import ForestParameters, fit
from training.metrics.monitor import Stage, TreeModelMonitor
from training.pages.page import write_page
from training.retraining.comparison import ModelComparison
from training.retraining.comparison_page import COMPARISON_FILE, compose_comparison_page
from training.retraining.promotion_gate import decide_promotion
from training.retraining.quality_comparison import compare_quality
from training.retraining.traffic_comparison import compare_on_traffic, label_holdout
from training.retraining.training_records import TrainingRecords, describe_records, read_training_records


def inherit_parameters(manifest: Mapping[str, Any], n_rows: int, chosen: Mapping[str, Any]) -> ForestParameters:
    """Return the live model's parameters, except those that were chosen.

    An imported forest may have parameters that scikit-learn accepts and the command line does not: samples as a share
    and features as a number are converted, and a seed that is not a number is replaced by the default.

    Parameters
    ----------
    manifest
        The live bundle's.
    n_rows
        Number of training rows of the candidate.
    chosen
        Parameters by name; None for the live model's.

    Raises
    ------
    BadArgument
        If a value is out of its range.

    Examples
    --------
    >>> imported = {"max_samples": 0.5, "max_features": 1, "random_state": None, "n_estimators": 50, "n_jobs": 2}
    >>> manifest = {"parameters": imported, "features": [{}, {}]}
    >>> inherit_parameters(manifest, n_rows=1000, chosen={"contamination": 0.01, "n_estimators": None})
    ForestParameters(contamination=0.01, n_estimators=50, max_samples=500, max_features=0.5, bootstrap=False,
                     random_state=16)
    """
    names = {field.name for field in fields(ForestParameters)}
    parameters = {name: value for name, value in manifest["parameters"].items() if name in names}
    if isinstance(share := parameters.get("max_samples"), float):
        parameters["max_samples"] = max(int(share * n_rows), 1)
    if isinstance(number := parameters.get("max_features"), int):
        parameters["max_features"] = min(number / len(manifest["features"]), 1.0)
    if not isinstance(parameters.get("random_state"), int):
        parameters.pop("random_state", None)
    parameters |= {name: value for name, value in chosen.items() if value is not None}
    return ForestParameters(**parameters)


def inherit_drift(manifest: Mapping[str, Any]) -> DriftParameters | None:
    """Return the parameters of the live model's drift detectors; None if it had rows enough for them and has none.

    Examples
    --------
    >>> inherit_drift({"drift": None, "training": {"rows": 10_000}}) is None
    True
    """
    drift = manifest["drift"]
    if drift is not None:
        return DriftParameters(drift["expected_run_time"], drift["window"])
    return None if manifest["training"]["rows"] >= MIN_ROWS_FOR_DRIFT else DriftParameters()


# A week holds each weekday once.
_LATEST_SECONDS = 7.0 * SECONDS_PER_DAY


@dataclass(frozen=True)
class RetrainingChoices:
    """The options of a retraining.

    Parameters
    ----------
    period
        The records to use.
    max_rows
        Maximum number of training rows.
    exclude_outliers
        Whether rows that were labelled outliers are left out when trees are grown.
    parameters
        Parameters of the forest, by name; None for the live model's.
    drift
        Parameters of the drift detectors; None for no detectors.
    """

    period: Period
    max_rows: int
    exclude_outliers: bool
    parameters: Mapping[str, Any]
    drift: DriftParameters | None


@dataclass(frozen=True)
class Candidate:
    """A model in the store that is not live, and how it compares with the live one."""

    written: WrittenBundle
    comparison: ModelComparison


def retrain(
    reader: RecordReader, live: Bundle, models: Path, choices: RetrainingChoices, monitor: TreeModelMonitor
) -> Candidate:
    """Train a candidate on records, compare it with the live model, and store it.

    Parameters
    ----------
    reader
        Reader of the records.
    live
        The live model.
    models
        The folder of all bundles.
    choices
        The options.
    monitor
        Receives the progress of the training.

    Raises
    ------
    BadArgument
        If a parameter does not fit the number of rows.
    BadData
        If there are too few rows.
    RecordsUnavailable
        If the database cannot be read.
    ModelsNotWritable
        If the bundle cannot be stored. The store then stays as it was.
    """
    monitor.begin_stage(Stage.READING)
    period, names = choices.period, live.features.names
    versions = reader.find_versions(columns_to_record(live.manifest))
    labelled = reader.read_labelled(period, versions, len(names))
    with show_read_rows("Reading records") as show_progress:
        pages = reader.read_rows(period, versions, len(names))
        records = read_training_records(
            pages,
            labelled,
            live.features,
            period,
            choices.max_rows,
            choices.exclude_outliers,
            live.manifest.get("encoding", ()),
            show_progress,
        )
    monitor.record_rows(len(records.data))
    monitor.begin_stage(Stage.FITTING)
    estimator = _grow(records, live, choices, monitor)
    monitor.record_ensemble(EnsembleShape.of(estimator, records.data.matrix_names))
    monitor.begin_stage(Stage.COMPARING)
    comparison = _compare(
        reader, live, compile_forest(estimator, encoding=records.data.encoding), labelled, records, versions
    )
    announce("Evaluating and writing")

    def add_page(folder: Path, manifest: dict[str, Any]) -> None:
        write_page(folder / COMPARISON_FILE, compose_comparison_page(comparison, manifest["version"]))

    is_fitted_on = ~records.is_labelled_outlier if choices.exclude_outliers else None
    model = TrainedModel(live.name, estimator, records.data, is_fitted_on=is_fitted_on)
    with show_calibration() as show_part:
        written = write_bundle(models, model, monitor.begin_stage, choices.drift, show_part, add_page, _store_only)
    monitor.record_evaluation(written.manifest["evaluation"])
    return Candidate(written, comparison)


def _store_only(models: Path, manifest: Manifest) -> None:
    """Keep the live version: the comparison decides whether the candidate goes live."""
    raise NotPromoted("it is a candidate.")


def _grow(
    records: TrainingRecords, live: Bundle, choices: RetrainingChoices, monitor: TreeModelMonitor
) -> IsolationForest:
    """Fit a forest with the live model's parameters."""
    rows = records.data.matrix
    train_rows = rows[~records.is_labelled_outlier] if choices.exclude_outliers else rows
    parameters = inherit_parameters(live.manifest, len(train_rows), choices.parameters)
    with show_trees(parameters.n_estimators) as show:

        def show_progress(n_fitted: int) -> None:
            show(n_fitted)
            monitor.record_trees(n_fitted, parameters.n_estimators)

        estimator = fit(train_rows, parameters, show_progress)
    if len(train_rows) < len(rows):
        _set_threshold(estimator, rows, parameters)
    return estimator


def _set_threshold(estimator: IsolationForest, rows: NDArray[np.float64], parameters: ForestParameters) -> None:
    """Set the threshold on all rows: without the labelled outliers, the same share would flag more rows."""
    if parameters.contamination != "auto":
        estimator.offset_ = np.percentile(estimator.score_samples(rows), 100.0 * parameters.contamination)


def _compare(
    reader: RecordReader,
    live: Bundle,
    candidate: Forest,
    labelled: LabelledRows,
    records: TrainingRecords,
    versions: frozenset[str],
) -> ModelComparison:
    """Compare on labelled rows and on traffic; the records are read again, now with the candidate."""
    period = records.period
    with show_read_rows("Comparing on records") as show_progress:
        pages = reader.read_rows(period, versions, len(live.features.names))
        traffic = compare_on_traffic(
            pages, live.forest, candidate, labelled, max(period.since, period.until - _LATEST_SECONDS), show_progress
        )
    quality = compare_quality(label_holdout(labelled, live.forest, candidate), traffic.whole)
    return ModelComparison(
        live=f"{live.name} {live.version}",
        feature_names=live.features.names,
        offsets=(live.forest.offset, candidate.offset),
        records=describe_records(period, records.counts),
        period=period,
        quality=quality,
        traffic=traffic,
        decision=decide_promotion(quality, traffic.latest.counts),
    )
