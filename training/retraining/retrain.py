"""From records to a candidate that waits in the store, and what a comparison with the live model says of it.

How the live model was grown: the next one is grown alike unless something else is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from app.model.bundle import Bundle
from app.model.forest import Forest
from app.records.reading import LabelledRows, Period, RecordReader
from training.bundle.write import TrainedModel, WrittenBundle, write_bundle
from training.console import announce, show_calibration, show_record_rows, show_trees
from training.drift.calibrate import FEWEST_ROWS_FOR_DRIFT, DriftParameters
from training.fitting.compile import compile_forest
from training.fitting.evaluate import EnsembleShape
from training.fitting.fit import ForestParameters, fit
from training.metrics.monitor import Stage, TreeModelMonitor
from training.pages.page import write_page
from training.retraining.comparison import ModelComparison
from training.retraining.comparison_page import COMPARISON_FILE, compose_comparison_page
from training.retraining.promotion_gate import decide_promotion
from training.retraining.quality_comparison import compare_quality
from training.retraining.traffic_comparison import compare_on_traffic, judge
from training.retraining.training_records import TrainingRecords, describe_records, read_training_records


def grow_alike(manifest: Mapping[str, Any], n_rows: int, chosen: Mapping[str, Any]) -> ForestParameters:
    """Take the live model's parameters, but for those that were chosen.

    A forest that somebody fitted and imported may have parameters that scikit-learn takes and the command line does
    not: samples as a share and features as a number are converted, and a seed that is no number becomes the usual one.

    Parameters
    ----------
    manifest
        The live bundle's.
    n_rows
        How many rows the next model is trained on.
    chosen
        Parameters by their names; None for those of the live model.

    Raises
    ------
    BadArgument
        If a value is out of its range.

    Examples
    --------
    >>> imported = {"max_samples": 0.5, "max_features": 1, "random_state": None, "n_estimators": 50, "n_jobs": 2}
    >>> manifest = {"parameters": imported, "features": [{}, {}]}
    >>> grow_alike(manifest, n_rows=1000, chosen={"contamination": 0.01, "n_estimators": None})
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


def calibrate_alike(manifest: Mapping[str, Any]) -> DriftParameters | None:
    """Take what the live model's drift detectors promise; None if it has none though it had rows enough.

    Examples
    --------
    >>> calibrate_alike({"drift": None, "training": {"rows": 10_000}}) is None
    True
    """
    drift = manifest["drift"]
    if drift is not None:
        return DriftParameters(drift["expected_run_time"], drift["window"])
    return None if manifest["training"]["rows"] >= FEWEST_ROWS_FOR_DRIFT else DriftParameters()


# A week holds each weekday once.
_LATEST_SECONDS = 7 * 86_400.0


@dataclass(frozen=True)
class RetrainingChoices:
    """What a user chooses about a retraining.

    Parameters
    ----------
    period
        The records to use.
    most_rows
        The most rows to train on.
    exclude_outliers
        Whether rows of the shaping half that were labelled outliers shall shape no tree.
    parameters
        Of the forest, by their names; None for those of the live model.
    drift
        How drift detectors are calibrated; None for none.
    """

    period: Period
    most_rows: int
    exclude_outliers: bool
    parameters: Mapping[str, Any]
    drift: DriftParameters | None


@dataclass(frozen=True)
class Candidate:
    """A model that waits in the store, and how it compares with the live one."""

    written: WrittenBundle
    comparison: ModelComparison


def retrain(
    reader: RecordReader, live: Bundle, models: Path, choices: RetrainingChoices, monitor: TreeModelMonitor
) -> Candidate:
    """Train the next model on records, compare it with the live one, and keep it beside it.

    Parameters
    ----------
    reader
        Of the records.
    live
        The live model.
    models
        The folder of all bundles.
    choices
        What was asked for.
    monitor
        Told how far the training is.

    Raises
    ------
    BadArgument
        If a parameter does not fit the number of rows.
    BadData
        If there are too few rows.
    RecordsUnavailable
        If the database cannot be read.
    ModelsNotWritable
        If the bundle cannot be stored. Whatever happens, the store then is as it was.
    """
    monitor.begin_stage(Stage.READING)
    period, names = choices.period, live.features.names
    versions = reader.find_versions(names)
    labelled = reader.read_labelled(period, versions, len(names))
    with show_record_rows("Reading records") as note_rows:
        pages = reader.read_rows(period, versions, len(names))
        records = read_training_records(
            pages, labelled, names, period, choices.most_rows, choices.exclude_outliers, note_rows
        )
    monitor.record_rows(len(records.data))
    monitor.begin_stage(Stage.FITTING)
    estimator = _grow(records, live, choices, monitor)
    monitor.record_ensemble(EnsembleShape.of(estimator, names))
    monitor.begin_stage(Stage.COMPARING)
    comparison = _compare(reader, live, Forest(compile_forest(estimator)), labelled, records, versions)
    announce("Evaluating and writing")

    def add_page(folder: Path, manifest: dict[str, Any]) -> None:
        write_page(folder / COMPARISON_FILE, compose_comparison_page(comparison, manifest["version"]))

    model = TrainedModel(live.name, estimator, records.data)
    with show_calibration() as show_part:
        written = write_bundle(models, model, monitor.begin_stage, choices.drift, show_part, add_page, go_live=False)
    monitor.record_evaluation(written.manifest["evaluation"])
    return Candidate(written, comparison)


def _grow(
    records: TrainingRecords, live: Bundle, choices: RetrainingChoices, monitor: TreeModelMonitor
) -> IsolationForest:
    """Fit a forest like the live one."""
    rows = records.data.rows
    shaping = rows[~records.is_labelled_outlier] if choices.exclude_outliers else rows
    parameters = grow_alike(live.manifest, len(shaping), choices.parameters)
    with show_trees(parameters.n_estimators) as show:

        def note_progress(n_fitted: int) -> None:
            show(n_fitted)
            monitor.record_trees(n_fitted, parameters.n_estimators)

        estimator = fit(shaping, parameters, note_progress)
    if len(shaping) < len(rows):
        _set_threshold(estimator, rows, parameters)
    return estimator


def _set_threshold(estimator: IsolationForest, rows: NDArray[np.float64], parameters: ForestParameters) -> None:
    """Let the contamination be the share of all rows: without the outliers, as many rows again would be flagged."""
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
    """Compare on labelled rows and on traffic; the records are read a second time, now that there is a candidate."""
    period = records.period
    with show_record_rows("Comparing on records") as note_rows:
        pages = reader.read_rows(period, versions, len(live.features.names))
        traffic = compare_on_traffic(
            pages, live.forest, candidate, labelled, max(period.since, period.until - _LATEST_SECONDS), note_rows
        )
    quality = compare_quality(judge(labelled, live.forest, candidate), traffic.whole)
    return ModelComparison(
        live=f"{live.name} {live.version}",
        feature_names=live.features.names,
        offsets=(live.forest.offset, candidate.offset),
        records=describe_records(period, records.counts),
        period=period,
        quality=quality,
        traffic=traffic,
        verdict=decide_promotion(quality, traffic.latest.counts),
    )
