"""Write a bundle: everything about one trained model, complete or not at all."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from app.drift.calibration import Calibration
from app.errors import NotPromoted
from app.model.bundle import (
    DRIFT_FILE,
    FOREST_FILE,
    PUBLIC_KEY_VARIABLE,
    REFERENCE_FILE,
    is_signature_required,
    sha256_of,
    write_forest_arrays,
    write_manifest,
)
from app.model.explain import Explainer
from app.model.forest import Forest
from app.model.out_of_bag import COUNTS, SCORES, OutOfBagScores
from app.model.schema import Features
from app.model.store.promotion_rules import Manifest, describe_change, read_live_manifest
from app.model.store.store import ModelStore
from training.bundle.plots import draw_pictures
from training.bundle.report import write_model_card, write_report
from training.data.dataset import Dataset, is_synthetic
from training.data.tables import find_doubts
from training.drift.calibrate import MIN_ROWS_FOR_DRIFT, DriftParameters, calibrate, split_reference
from training.drift.simulate import ScoredRows
from training.fitting.compile import check_agreement, choose_golden_rows, compile_forest
from training.fitting.evaluate import Evaluation, compare_with_labels, count_flagged, evaluate, measure_agreement
from training.fitting.explain import explain_most_abnormal, measure_importance
from training.fitting.out_of_bag import score_out_of_bag
from training.fitting.pipeline import TranslatedPipeline
from training.metrics.monitor import Stage

_ESTIMATOR_FILE = "model.joblib"

# An importance from so many rows has two exact digits, and explaining them takes less than a second.
_MAX_EXPLAINED_ROWS = 10_000


@dataclass(frozen=True)
class TrainedModel:
    """A fitted estimator, and the data that it was fitted and is evaluated on.

    Parameters
    ----------
    name
        Name of the model, in metrics and addresses.
    estimator
        The fitted scikit-learn estimator.
    training, test
        The training rows; test rows, which the estimator never saw, if there are any.
    is_fitted_on
        Which training rows the trees were grown from, shape ``(n_rows,)``; None for all.
    agreement_curve
        The agreement after each batch of trees, if it decided how many there are.
    pipeline
        The pipeline that ends in the estimator, if it was imported with one.
    """

    name: str
    estimator: IsolationForest
    training: Dataset
    test: Dataset | None = None
    is_fitted_on: NDArray[np.bool_] | None = None
    agreement_curve: Sequence[tuple[int, float | None]] = ()
    pipeline: TranslatedPipeline | None = None


@dataclass(frozen=True)
class WrittenBundle:
    """A bundle in the store.

    Parameters
    ----------
    folder, manifest
        The folder of the bundle, and its manifest without the digests.
    not_promoted
        Why it is not live; None if it is.
    change
        What changed for callers when it took the place of another version, in words; else empty.
    """

    folder: Path
    manifest: dict[str, Any]
    not_promoted: NotPromoted | None = None
    change: str = ""


def write_bundle(
    models: Path,
    model: TrainedModel,
    on_stage: Callable[[Stage], None] = lambda stage: None,
    drift: DriftParameters | None = None,
    on_calibration: Callable[[float], None] = lambda share: None,
    add_files: Callable[[Path, dict[str, Any]], None] = lambda folder, manifest: None,
    require_consent: Callable[[Path, Manifest], None] = lambda models, manifest: None,
) -> WrittenBundle:
    """Write ``models/<version>/``, and make ``models/current`` point to it unless something is against it.

    Parameters
    ----------
    models, model
        The folder of all bundles, which is created if it does not exist; the model to write.
    on_stage
        Called at the start of each stage after the fitting.
    drift
        Parameters of the drift detectors; None for no detectors. There are none with fewer than 4,000 training rows.
    on_calibration
        Called regularly with the completed share of the calibration, in [0, 1].
    add_files
        Called with the bundle's unfinished folder and manifest, to write more files into it.
    require_consent
        Called with ``models`` and the manifest before the bundle becomes live. If it raises ``NotPromoted``, or if
        somebody must sign the bundle first, it is only stored and can be promoted later.

    Raises
    ------
    InvalidForest
        If the estimator cannot be compiled, or the compiled forest disagrees with scikit-learn.
    ModelsNotWritable
        If the bundle cannot be stored; ``models`` then stays as it was.
    """
    on_stage(Stage.EVALUATING)
    training = model.training
    forest = compile_forest(model.estimator, training.matrix, training.encoding)
    sets = {"train": (training, evaluate(forest, training.rows))}
    if model.test is not None:
        sets["test"] = (model.test, evaluate(forest, model.test.rows))
    on_training = sets["train"][1]
    check_agreement(model.estimator, training.matrix, on_training)
    if model.pipeline is not None:
        check_agreement(model.pipeline.pipeline, model.pipeline.to_input(training.rows), on_training)
    reference, others = split_reference(len(training))
    calibration = None
    if drift is not None and len(training) >= MIN_ROWS_FOR_DRIFT:
        on_stage(Stage.CALIBRATING)
        scored = ScoredRows(training.features.fill_missing(training.rows), on_training.scores, on_training.labels)
        share = on_training.n_flagged / len(scored)
        calibration = calibrate(scored.take(reference), scored.take(others), share, drift, on_calibration)
    fitted_rows = training.matrix if model.is_fitted_on is None else training.matrix[model.is_fitted_on]
    of_features = forest if training.encoding is None else Forest(forest.arrays, forest.threshold)
    out_of_bag = score_out_of_bag(model.estimator, of_features, fitted_rows)
    manifest = _describe(model, forest, sets) | {
        "agreement_curve": [list(point) for point in model.agreement_curve],
        "agreement": measure_agreement(forest, training.rows, on_training.n_flagged),
        "drift": _describe_drift(calibration),
        "has_out_of_bag_scores": out_of_bag is not None,
    }
    # Before the store is locked, so that nobody waits for explanations and pictures.
    explainer = Explainer(forest, manifest, out_of_bag)
    importance = measure_importance(explainer, training, on_training, _MAX_EXPLAINED_ROWS)
    abnormal_rows = explain_most_abnormal(explainer, training, on_training)
    pictures = draw_pictures(forest, manifest["parameters"]["contamination"], sets, importance)
    on_stage(Stage.WRITING)
    store = ModelStore(models)
    with store.writing() as folder:
        write_forest_arrays(folder / FOREST_FILE, forest.arrays)
        reference_rows = training.features.fill_missing(training.rows[reference])
        _write_reference(folder / REFERENCE_FILE, reference_rows, on_training, out_of_bag)
        if calibration is not None:
            calibration.write(folder / DRIFT_FILE)
        joblib.dump(model.pipeline.pipeline if model.pipeline else model.estimator, folder / _ESTIMATOR_FILE)
        for file, picture in pictures.items():
            (folder / file).write_bytes(picture)
        trained_at = datetime.now(UTC)
        version = store.find_free_version(sha256_of(folder / FOREST_FILE), trained_at)
        manifest = {
            "name": model.name,
            "version": version,
            "trained_at": trained_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        } | manifest
        write_model_card(folder, manifest)
        write_report(folder, manifest, pictures, importance, abnormal_rows)
        add_files(folder, manifest)
        write_manifest(folder, manifest)
        try:
            require_consent(models, manifest)
            if is_signature_required():  # whoever approves it makes it live
                raise NotPromoted(f"{PUBLIC_KEY_VARIABLE} requires a signature.")
        except NotPromoted as reason:
            return WrittenBundle(store.add(folder, version), manifest, not_promoted=reason)
        live = read_live_manifest(models)
        change = describe_change(live, manifest) if live else ""
        return WrittenBundle(store.publish(folder, version), manifest, change=change)


def _describe(model: TrainedModel, forest: Forest, sets: dict[str, tuple[Dataset, Evaluation]]) -> dict[str, Any]:
    """Collect the content of the manifest, except name, version and time."""
    training, on_training = sets["train"]
    features = Features.of(training.matrix_names, training.matrix)
    return {
        "features": [
            {"name": name, "low": low, "high": high}
            for name, low, high in zip(features.names, features.low, features.high, strict=True)
        ],
        **training.described,
        "threshold": asdict(forest.threshold),
        "parameters": {name: _to_json(value) for name, value in model.estimator.get_params().items()},
        "offset_": forest.offset,
        "training": _describe_data(training)
        | {
            "synthetic": is_synthetic(training),
            "flagged_rows": on_training.n_flagged,
            "flagged_share": on_training.n_flagged / len(on_training),
            "distinct_rows": _count_distinct(training.matrix),
            "doubts": find_doubts(training.names, training.rows),
            "distinct_scores": len(on_training.count_scores()[0]),
        },
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit_learn": sklearn.__version__,
        },
        "evaluation": {
            name: ({} if name == "train" else _describe_data(data)) | _collect_figures(data, evaluation, on_training)
            for name, (data, evaluation) in sets.items()
        },
        "golden": choose_golden_rows(model.estimator, training.matrix, on_training, forest.offset, training.rows),
    }


def _count_distinct(rows: NDArray[np.float64]) -> int:
    """Count the rows that the forest can tell apart: they differ as float32."""
    # Adding 0 makes -0 and 0 equal. As one value per row, which is sorted several times as fast as rows of numbers.
    single = np.ascontiguousarray(rows.astype(np.float32) + np.float32(0))
    return len(np.unique(single.view(np.dtype((np.void, single.itemsize * single.shape[1])))))


def _describe_data(data: Dataset) -> dict[str, Any]:
    """Describe a data set; without its folder, which is private to the training machine."""
    return {
        "file": data.path.name,
        "rows": len(data),
        "sha256": data.sha256,
        "columns": list(data.columns),
        "label_column": data.labels.column if data.labels else None,
    } | ({"records": data.records} if data.records else {})


def _collect_figures(data: Dataset, evaluation: Evaluation, on_training: Evaluation) -> dict[str, Any]:
    """Collect the figures of one set of rows, including those of its labels if it has any."""
    figures = evaluation.as_figures()
    known = data.labels.is_outlier if data.labels is not None else None
    figures["flagged_by_contamination"] = count_flagged(on_training.scores, evaluation.scores, known)
    if data.labels is not None:
        figures["labels"] = compare_with_labels(evaluation, data.labels.is_outlier)
    return figures


def _describe_drift(calibration: Calibration | None) -> dict[str, Any] | None:
    """Describe the drift detectors: their expected number of rows before the first signal without drift."""
    if calibration is None:
        return None
    run_times = {name: thresholds.run_time for name, thresholds in calibration.thresholds.items()}
    return {
        "window": calibration.window,
        "expected_run_time": calibration.expected_run_time,
        # A detector that can never signal has no run time.
        "run_times": {name: rows if np.isfinite(rows) else None for name, rows in run_times.items()},
    }


def _write_reference(
    file: Path, reference_rows: NDArray[np.float64], on_training: Evaluation, out_of_bag: OutOfBagScores | None
) -> None:
    """Write the reference rows and the distributions of the training scores."""
    unique_scores, counts = on_training.count_scores()
    np.savez(
        file,
        allow_pickle=False,
        rows=reference_rows,
        unique_scores=unique_scores,
        counts=counts,
        n_rows=np.int64(len(on_training)),
        n_flagged=np.int64(on_training.n_flagged),
        **({} if out_of_bag is None else {SCORES: out_of_bag.scores, COUNTS: out_of_bag.counts}),
    )


def _to_json(value: object) -> object:
    """Convert a parameter to strict JSON; what JSON lacks (such as a generator as seed) becomes text."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, bool | int | float | str | None) else str(value)
