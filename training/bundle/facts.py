"""The facts about a model in its manifest: columns, data, parameters, figures and versions."""

from __future__ import annotations

import math
import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from numpy.typing import NDArray

from app.drift.calibration import Calibration
from app.model.forest import Forest
from app.model.schema import Features
from training.data.column_problems import find_doubtful_columns
from training.data.dataset import Dataset, is_synthetic
from training.fitting.compile import choose_golden_rows
from training.fitting.evaluate import Evaluation, compare_with_labels, count_flagged

if TYPE_CHECKING:
    from training.bundle.write import TrainedModel
    from training.fitting.exact_threshold import ExactThreshold

# Standard deviations on each side that hold 95 % of a normal distribution.
_WITHIN_95 = 1.96


def describe_model(model: TrainedModel, forest: Forest, sets: dict[str, tuple[Dataset, Evaluation]]) -> dict[str, Any]:
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
            "doubts": find_doubtful_columns(training.names, training.rows),
            "distinct_scores": len(on_training.count_scores()[0]),
        }
        | _describe_sample(training, on_training, model.exact_threshold),
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


def _describe_sample(data: Dataset, on_training: Evaluation, exact: ExactThreshold | None) -> dict[str, Any]:
    """Describe how the training rows were drawn, if they were drawn from a larger table."""
    if data.origins is None or data.origins.seed is None:
        return {}
    flagged = exact.n_flagged if exact is not None else None
    share = on_training.n_flagged / len(on_training)
    band = None if exact is not None or not share else _WITHIN_95 * math.sqrt((1 - share) / (share * len(data)))
    return {
        "sample": {
            "rows_seen": data.origins.n_rows,
            "rows_kept": len(data),
            "seed": data.origins.seed,
            "flagged_rows_seen": flagged,
            "flagged_share_band": band,
        }
    }


def describe_sample(training: dict[str, Any]) -> str:
    """Describe in words how the training rows were drawn, from the manifest's part about them; empty if they are all.

    Examples
    --------
    >>> sample = {"rows_seen": 50_000, "rows_kept": 1000, "seed": 16, "flagged_rows_seen": None}
    >>> describe_sample({"flagged_share": 0.01, "sample": sample | {"flagged_share_band": 0.6}})
    '1,000 of 50,000 rows, drawn at random with seed 16; of all rows, 0.4000% to 1.6000% would be flagged, with 95% \
confidence'
    """
    if not (sample := training.get("sample")):
        return ""
    share, band, n_flagged = training["flagged_share"], sample["flagged_share_band"], sample["flagged_rows_seen"]
    if n_flagged is not None:
        flagged = f"of all rows, the threshold flags {n_flagged:,} ({n_flagged / sample['rows_seen']:.4%})"
    elif band is not None:
        low, high = max(0.0, share * (1 - band)), share * (1 + band)
        flagged = f"of all rows, {low:.4%} to {high:.4%} would be flagged, with 95% confidence"
    else:
        flagged = "none of them is flagged, and of the others it is not known"
    kept, seen = sample["rows_kept"], sample["rows_seen"]
    return f"{kept:,} of {seen:,} rows, drawn at random with seed {sample['seed']}; {flagged}"


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


def describe_drift(calibration: Calibration | None) -> dict[str, Any] | None:
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


def _to_json(value: object) -> object:
    """Convert a parameter to strict JSON; what JSON lacks (such as a generator as seed) becomes text."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, bool | int | float | str | None) else str(value)
