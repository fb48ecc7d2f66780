"""From records to a candidate that waits in the store, and what a comparison with the live model says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from app.model.bundle import Bundle
from app.model.forest import Forest
from app.records.recorded_rows import LabelledRows, Period, RecordReader
from training.compile_forest import compile_forest
from training.drift_parameters import DriftParameters
from training.ensemble_shape import EnsembleShape
from training.fit import fit
from training.monitor import TreeModelMonitor
from training.page.page_file import write_page
from training.parameters import ForestParameters
from training.progress import announce, show_calibration, show_record_rows, show_trees
from training.retraining.comparison_page import COMPARISON_FILE, compose_comparison_page
from training.retraining.live_parameters import grow_alike
from training.retraining.model_comparison import ModelComparison
from training.retraining.quality_comparison import compare_quality
from training.retraining.traffic_comparison import compare_on_traffic, judge
from training.retraining.training_records import TrainingRecords, describe_records, read_training_records
from training.retraining.verdict import reach_verdict
from training.stages import Stage
from training.write_bundle import TrainedModel, WrittenBundle, write_bundle

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
        verdict=reach_verdict(quality, traffic.latest.counts),
    )
