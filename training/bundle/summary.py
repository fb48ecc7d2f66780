"""The table that a training ends with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.errors import count_of
from app.model.bundle import is_signature_required
from training.bundle.facts import describe_sample
from training.bundle.write import WrittenBundle
from training.drift.calibrate import MIN_ROWS_FOR_DRIFT
from training.metrics.monitor import Stage

# A round number that everybody can scale to their own traffic; below ten alarms an hour, a day is easier to imagine.
_ROWS_AN_HOUR, _FEW_ALARMS, _HOURS_A_DAY = 1000, 10, 24

# How a service that listens on every address is reached from this machine.
_LOCAL_ADDRESSES = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}


def summarise(written: WrittenBundle, stage_seconds: Mapping[Stage, float] | None = None) -> str:
    """Summarise a new bundle as aligned plain text, with how to serve it.

    Parameters
    ----------
    written
        The bundle.
    stage_seconds
        How long each stage of the training took; without, nothing is said of it.
    """
    manifest, folder = written.manifest, written.folder
    parameters, evaluation = manifest["parameters"], manifest["evaluation"]
    lines = [
        ("model", f"{manifest['name']} {manifest['version']}"),
        (
            "rows",
            f"{manifest['training']['rows']:,}" + (" (synthetic)" if manifest["training"]["synthetic"] else ""),
        ),
        *([("sample", describe_sample(manifest["training"]))] if "sample" in manifest["training"] else []),
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
        *([("seconds", _list_stages(stage_seconds))] if stage_seconds else []),
        ("folder", str(folder)),
        ("report", str(folder / "report.html")),
    ]
    width = max(len(label) for label, _ in lines)
    table = "\n".join(f"{label:<{width}}  {value}" for label, value in lines)
    if doubts := manifest["training"]["doubts"]:
        table = "\n".join([f"{table}\n", *doubts])
    table = f"{table}\n\n{_explain_threshold(manifest['training'], folder.parent)}"
    if not written.not_promoted:
        change = f"{written.change}.\n" if written.change else ""
        live = "This model is live: a running service loads it within two seconds."
        return f"{table}\n\n{change}{live}\n{_describe_start()}"
    version = manifest["version"]
    steps = [
        " ".join(["python -m training promote", version, *written.not_promoted.options, "--models", str(folder.parent)])
    ]
    if is_signature_required():
        steps.insert(0, f"python -m training sign {version} --key FILE --models {folder.parent}")
    how = "\n".join(steps)
    return f"{table}\n\nThis model is not live: {written.not_promoted}\nTo make it live:\n{how}"


def _list_stages(stage_seconds: Mapping[Stage, float]) -> str:
    """List how long each stage took.

    Examples
    --------
    >>> _list_stages({Stage.READING: 1.23, Stage.FITTING: 4.0})
    '5.2 (reading 1.2, fitting 4.0)'
    """
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in stage_seconds.items())
    return f"{sum(stage_seconds.values()):.1f} ({stages})"


def _explain_threshold(training: dict[str, Any], models: Path) -> str:
    """Explain in words what the threshold means, and how to choose another one."""
    flagged, share = training["flagged_rows"], training["flagged_share"]
    return (
        f"{flagged:,} of {training['rows']:,} training rows, {share:.1%}, would be alarms; {estimate_alarms(share)}.\n"
        "To choose another threshold without training: "
        f"python -m training threshold --contamination SHARE --models {models}"
    )


def estimate_alarms(share: float) -> str:
    """Estimate in words how many alarms a share of flagged rows means for a service.

    Examples
    --------
    >>> estimate_alarms(0.153)
    'at 1,000 rows an hour that is 153 alarms an hour'
    >>> estimate_alarms(0.00095)
    'at 1,000 rows an hour that is 23 alarms a day'
    >>> estimate_alarms(0.00001)
    'at 1,000 rows an hour that is less than one alarm a day'
    """
    an_hour = _ROWS_AN_HOUR * share
    if an_hour >= _FEW_ALARMS:
        rate = f"{an_hour:,.0f} alarms an hour"
    elif an_hour * _HOURS_A_DAY >= 1:
        rate = f"{count_of(round(an_hour * _HOURS_A_DAY), 'alarm')} a day"
    else:
        rate = "less than one alarm a day"
    return f"at {_ROWS_AN_HOUR:,} rows an hour that is {rate}"


def _describe_start() -> str:
    """Describe how to start a service at the address in ``BIND``, and where it then is."""
    bind = os.environ.get("BIND", "")
    # Of several addresses, the first that a browser can open.
    addresses = [address.strip() for address in (bind or "127.0.0.1:8000").split(",")]
    host, _, port = next((each for each in addresses if not each.startswith(("unix:", "fd://"))), "").rpartition(":")
    command = f'{f"BIND={bind} " if bind else ""}gunicorn "app:create_app()"'
    if not port.isdigit():  # a socket file, which no browser opens
        return f"To start one: {command}"
    return f"To start one: {command}, then open http://{_LOCAL_ADDRESSES.get(host, host)}:{port}/"


def _count_flagged(figures: dict[str, Any]) -> str:
    """Format how many rows of a set are outliers."""
    return f"{figures['flagged_rows']:,} of {figures['rows']:,} ({1 - figures['inlier_share']:.3%})"


def _describe_drift(manifest: dict[str, Any]) -> str:
    """Describe how drift is monitored, or why it is not."""
    drift = manifest["drift"]
    if drift is not None:
        return (
            f"monitored in windows of {drift['window']:,} rows; without drift, a detector signals once every "
            f"{drift['expected_run_time']:,} rows"
        )
    if manifest["training"]["rows"] < MIN_ROWS_FOR_DRIFT:
        return f"not monitored: calibration needs at least {MIN_ROWS_FOR_DRIFT:,} training rows"
    return "not monitored, as requested"


def _shorten(names: list[str], most: int = 6) -> str:
    """List names, cut where the line would grow too long."""
    shown = ", ".join(names[:most])
    return f"{len(names)}: {shown}{', ...' if len(names) > most else ''}"
