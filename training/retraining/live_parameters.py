"""How the live model was grown: the next one is grown alike unless something else is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from training.drift_parameters import DriftParameters
from training.parameters import ForestParameters
from training.reference_rows import FEWEST_ROWS_FOR_DRIFT


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
