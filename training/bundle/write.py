"""Write a bundle: everything about one trained model, complete or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

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
from app.model.store.promotion_rules import Manifest, describe_change, read_live_manifest
from app.model.store.store import ModelStore
from training.bundle.facts import describe_drift, describe_model
from training.bundle.plots import draw_pictures
from training.bundle.report import write_model_card, write_report
from training.data.dataset import Dataset
from training.drift.calibrate import MIN_ROWS_FOR_DRIFT, DriftParameters, ScoredRows, calibrate, split_reference
from training.fitting.compile import check_agreement, compile_forest
from training.fitting.evaluate import Evaluation, evaluate, measure_agreement
from training.fitting.explain import explain_most_abnormal, measure_importance
from training.fitting.out_of_bag import score_out_of_bag
from training.fitting.pipeline import TranslatedPipeline
from training.metrics.monitor import Stage

if TYPE_CHECKING:
    from training.fitting.exact_threshold import ExactThreshold

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
    training
        The training rows.
    test
        Test rows, which the estimator never saw, if there are any.
    is_fitted_on
        Which training rows the trees were grown from, shape ``(n_rows,)``; None for all.
    agreement_curve
        The agreement after each batch of trees, if it decided how many there are.
    pipeline
        The pipeline that ends in the estimator, if it was imported with one.
    exact_threshold
        The threshold that all rows of the table determine, if the training rows were drawn from it.
    """

    name: str
    estimator: IsolationForest
    training: Dataset
    test: Dataset | None = None
    is_fitted_on: NDArray[np.bool_] | None = None
    agreement_curve: Sequence[tuple[int, float | None]] = ()
    pipeline: TranslatedPipeline | None = None
    exact_threshold: ExactThreshold | None = None


@dataclass(frozen=True)
class WrittenBundle:
    """A bundle in the store.

    Parameters
    ----------
    folder
        The folder of the bundle.
    manifest
        Its manifest, without the digests.
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
    models
        The folder of all bundles; created if it does not exist.
    model
        The model to write.
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
    more_sums = () if model.exact_threshold is None else model.exact_threshold.sums
    forest = compile_forest(model.estimator, training.matrix, training.encoding, more_sums)
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
        encode = None if training.encoding is None else training.encoding.encode
        calibration = calibrate(scored.take(reference), scored.take(others), share, drift, on_calibration, encode)
    fitted_rows = training.matrix if model.is_fitted_on is None else training.matrix[model.is_fitted_on]
    of_features = forest if training.encoding is None else Forest(forest.arrays, forest.threshold)
    out_of_bag = score_out_of_bag(model.estimator, of_features, fitted_rows)
    manifest = describe_model(model, forest, sets) | {
        "agreement_curve": [list(point) for point in model.agreement_curve],
        "agreement": measure_agreement(forest, training.rows, on_training.n_flagged),
        "drift": describe_drift(calibration),
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
        stored = model.estimator if model.pipeline is None else model.pipeline.pipeline
        joblib.dump(stored, folder / _ESTIMATOR_FILE)
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
