"""The table that a training ends with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.drift.calibrate import FEWEST_ROWS_FOR_DRIFT


def summarise(manifest: dict[str, Any], folder: Path) -> str:
    """Sum a new bundle up as aligned plain text.

    Parameters
    ----------
    manifest
        What the bundle's manifest says.
    folder
        Where the bundle lies.
    """
    parameters, evaluation = manifest["parameters"], manifest["evaluation"]
    lines = [
        ("model", f"{manifest['name']} {manifest['version']}"),
        (
            "rows",
            f"{manifest['training']['rows']:,}" + (" (synthetic)" if manifest["training"]["synthetic"] else ""),
        ),
        ("features", _shorten([feature["name"] for feature in manifest["features"]])),
        ("trees", f"{parameters['n_estimators']:,}"),
        ("contamination", f"{parameters['contamination']}"),
        ("offset", f"{manifest['offset_']!r} (rows with a lower score are outliers)"),
        ("flagged, training", _count_flagged(evaluation["train"])),
        *([("flagged, test", _count_flagged(evaluation["test"]))] if "test" in evaluation else []),
        *[
            (f"ROC AUC, {called}", f"{figures['roc_auc']:.4f} (average precision {figures['average_precision']:.4f})")
            for name, called in (("train", "training"), ("test", "test"))
            if (figures := evaluation.get(name, {}).get("labels")) and figures["roc_auc"] is not None
        ],
        ("drift", _describe_drift(manifest)),
        ("folder", str(folder)),
        ("report", str(folder / "report.html")),
    ]
    width = max(len(label) for label, _ in lines)
    table = "\n".join(f"{label:<{width}}  {value}" for label, value in lines)
    return (
        f"{table}\n\n"
        "This model is live: a running service takes it over within two seconds.\n"
        'To start one: gunicorn "app:create_app()", then open http://127.0.0.1:8000/'
    )


def _count_flagged(figures: dict[str, Any]) -> str:
    """Say how many rows of a set are outliers."""
    return f"{figures['flagged_rows']:,} of {figures['rows']:,} ({1 - figures['inlier_share']:.3%})"


def _describe_drift(manifest: dict[str, Any]) -> str:
    """Say what the drift detectors promise, or why there are none."""
    drift = manifest["drift"]
    if drift is not None:
        return (
            f"watched in windows of {drift['window']:,} rows; while nothing changes, an alarm of a detector every "
            f"{drift['expected_run_time']:,} rows"
        )
    if manifest["training"]["rows"] < FEWEST_ROWS_FOR_DRIFT:
        return f"not watched: calibrating takes {FEWEST_ROWS_FOR_DRIFT:,} training rows or more"
    return "not watched, as asked for"


def _shorten(names: list[str], most: int = 6) -> str:
    """List names, cut where the line would grow too long."""
    shown = ", ".join(names[:most])
    return f"{len(names)}: {shown}{', ...' if len(names) > most else ''}"
