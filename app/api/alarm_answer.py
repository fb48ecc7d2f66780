"""What an answer says about an alarm: its schemas, and the place of its values in the training rows."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marshmallow import Schema, fields

from app.api.explanation import ExplanationFields
from app.api.records import FEATURES, unfamiliar_field
from app.api.service import Service
from app.errors import CannotExplain, InvalidBundle, ModelUnavailable
from app.model.bundle import read_manifest
from app.model.quantiles import ColumnQuantiles
from app.records.timestamps import format_timestamp
from app.server.output_file import disarm

if TYPE_CHECKING:
    from app.records.alarms import Alarm, Remark

ALARM_ID = "[0-9a-f]{32}"

# The scale of a column whose training values are unknown or all equal.
_UNIT = 1.0


class AlarmRemark(Schema):
    """What somebody said, and when."""

    note = fields.String(required=True)
    given_at = fields.AwareDateTime(required=True)
    given_by = fields.String(
        required=True, allow_none=True, metadata={"description": "The name of an API key, or the label's source."}
    )


class AlarmLabel(AlarmRemark):
    """The current label of an alarm."""

    is_inlier = fields.Integer(
        required=True, metadata={"description": "1 inlier: a false alarm; -1 outlier: a true one.", "enum": [1, -1]}
    )


class AlarmNote(AlarmRemark):
    """The newest note about an alarm."""

    is_unsure = fields.Boolean(required=True)


class ListedAlarm(Schema):
    """A recorded outlier."""

    record_id = fields.String(required=True)
    row = fields.Integer(required=True, metadata={"description": "Its number in the request, counted from 0."})
    answered_at = fields.AwareDateTime(required=True)
    model_version = fields.String(required=True)
    segment = fields.String(required=True, metadata={"description": "Empty if the caller named none."})
    features = fields.Dict(
        keys=fields.String(), values=fields.Raw(allow_none=True), allow_none=True, required=True, metadata=FEATURES
    )
    unfamiliar = unfamiliar_field()
    anomaly_score = fields.Float(required=True, metadata={"minimum": -1, "maximum": 0})
    confidence = fields.Float(
        required=True,
        allow_none=True,
        metadata={"minimum": 0, "maximum": 1, "description": "Null for a row with unfamiliar values."},
    )
    explanation = fields.Nested(
        ExplanationFields,
        required=True,
        allow_none=True,
        metadata={"description": "Why it is an outlier; null if it was not explained."},
    )
    label = fields.Nested(AlarmLabel, required=True, allow_none=True)
    note = fields.Nested(AlarmNote, required=True, allow_none=True)


class AlarmPage(Schema):
    """Some alarms, the newest first."""

    alarms = fields.List(fields.Nested(ListedAlarm), required=True)
    next_cursor = fields.String(
        required=True, allow_none=True, metadata={"description": "`cursor` of the next page; null on the last one."}
    )


class ValuePlace(Schema):
    """Where a value lies among the training rows."""

    share = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "The share of training rows up to the value; below 0 or above 1 outside their range, by the "
            "distance in widths of the range. Null for a missing value."
        },
    )
    low = fields.Float(required=True, metadata={"description": "The smallest training value."})
    median = fields.Float(required=True)
    high = fields.Float(required=True, metadata={"description": "The largest training value."})


class SimilarAlarm(ListedAlarm):
    """An earlier alarm with similar values."""

    distance = fields.Float(
        required=True,
        metadata={"description": "Root mean square difference of values, in widths of the middle 90 % of training."},
    )


def places_field() -> fields.Dict:
    """Return the field with the place of each value."""
    description = "By column of numbers; empty if the model is gone or of format 1, or without values."
    return fields.Dict(
        keys=fields.String(), values=fields.Nested(ValuePlace), required=True, metadata={"description": description}
    )


class AlarmKey(Schema):
    """Names an alarm, as labels do."""

    record_id = fields.String(required=True)
    row = fields.Integer(required=True)


class AlarmDetail(ListedAlarm):
    """An alarm with everything that helps to judge it."""

    places = places_field()
    similar = fields.List(fields.Nested(SimilarAlarm), required=True)
    identical = fields.List(
        fields.Nested(AlarmKey),
        required=True,
        metadata={"description": "Earlier alarms with the same values that nobody has labelled, to label at once."},
    )


def serialize_alarm(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as JSON values."""
    label, note = alarm.label, alarm.note
    return {
        "record_id": alarm.key.record_id,
        "row": alarm.key.row,
        "answered_at": format_timestamp(alarm.answered_at),
        "model_version": alarm.model_version,
        "segment": alarm.segment,
        "features": alarm.features,
        "unfamiliar": alarm.unfamiliar,
        "anomaly_score": alarm.score,
        "confidence": alarm.confidence,
        "explanation": alarm.explanation,
        "label": None if label is None else {"is_inlier": label.label} | _serialize_remark(label),
        "note": None if note is None else {"is_unsure": note.is_unsure} | _serialize_remark(note),
    }


def _serialize_remark(remark: Remark) -> dict[str, Any]:
    """Return what every remark has."""
    return {"note": remark.note, "given_at": format_timestamp(remark.given_at), "given_by": remark.given_by}


def flatten_alarm(alarms: list[Alarm]) -> dict[str, list[Any]]:
    """Return alarms as columns of a table; texts of strangers cannot become formulas in a spreadsheet."""
    names = list(dict.fromkeys(name for alarm in alarms for name in alarm.features or ()))
    explained = [alarm.explanation or {} for alarm in alarms]
    columns: dict[str, list[Any]] = {
        "record_id": [alarm.key.record_id for alarm in alarms],
        "row": [alarm.key.row for alarm in alarms],
        "answered_at": [format_timestamp(alarm.answered_at) for alarm in alarms],
        "model_version": [alarm.model_version for alarm in alarms],
        "segment": [disarm(alarm.segment) for alarm in alarms],
        "anomaly_score": [alarm.score for alarm in alarms],
        "p_value": [fields.get("p_value") for fields in explained],
        "reasons": [disarm("; ".join(fields.get("reasons", []))) for fields in explained],
        "label": [alarm.label.label if alarm.label else None for alarm in alarms],
        "labelled_by": [alarm.label.given_by if alarm.label else None for alarm in alarms],
        "is_unsure": [alarm.note.is_unsure if alarm.note else None for alarm in alarms],
        "note": [disarm(remark.note) if (remark := alarm.label or alarm.note) else "" for alarm in alarms],
    }
    # A feature may be named like one of the columns.
    return columns | {f"feature:{name}": [_flatten_value(alarm, name) for alarm in alarms] for name in names}


def _flatten_value(alarm: Alarm, name: str) -> Any:
    """Return a value as a cell of a table; None if there is none."""
    value = (alarm.features or {}).get(name)
    return disarm(value) if isinstance(value, str) else value


def explain_now(service: Service, alarm: Alarm) -> Alarm:
    """Explain an alarm that was not explained when it was recorded, if its model is live and its values are known."""
    if alarm.explanation is not None or alarm.features is None:
        return alarm
    try:
        bundle = service.model.get()
        if bundle.version != alarm.model_version or list(alarm.features) != list(bundle.features.names):
            return alarm
        explanation = bundle.explainer.explain(alarm.values, alarm.score)
    except (ModelUnavailable, CannotExplain):
        return alarm
    return replace(alarm, explanation=explanation.as_fields())


def describe_places(service: Service, alarm: Alarm) -> tuple[dict[str, Any], list[float]]:
    """Return where the values lie among the training rows, by column, and the scale of each column.

    The scale is the width of the middle 90 % of the training rows, so that outliers among them do not hide differences;
    0 for a category or boolean, of which any two levels are equally different.
    """
    columns = _read_columns(service, alarm.model_version)
    scales = []
    has_levels = alarm.has_levels or (False,) * len(alarm.values)
    for name, has_level in zip(alarm.features or (), has_levels, strict=True):
        column = columns.get(name)
        if column is None or not column.values.size:
            scales.append(0.0 if has_level else _UNIT)
            continue
        low, high = column.values[column.levels >= 0.05][0], column.values[column.levels <= 0.95][-1]
        scales.append(float(high - low) or _UNIT)
    return _place(columns, dict(zip(alarm.features or (), alarm.values, strict=True))), scales


def describe_row(service: Service, version: str, features: dict[str, Any] | None) -> dict[str, Any]:
    """Return where the numbers of a row that a version answered lie among its training rows, by column."""
    numbers = {name: value for name, value in (features or {}).items() if not isinstance(value, str | bool)}
    return _place(_read_columns(service, version), numbers)


def _place(columns: dict[str, ColumnQuantiles], values: dict[str, float | None]) -> dict[str, Any]:
    """Return the place of each value whose column has quantiles; None and NaN are missing values."""
    return {
        name: {
            "share": None if value is None or math.isnan(value) else column.position(value),
            "low": float(column.values[0]),
            "median": column.median,
            "high": float(column.values[-1]),
        }
        for name, value in values.items()
        if (column := columns.get(name)) is not None and column.values.size
    }


def _read_columns(service: Service, version: str) -> dict[str, ColumnQuantiles]:
    """Return the training quantiles of a version's columns; none if it is gone or of format 1."""
    try:
        live = service.model.get()
        manifest = live.manifest if live.version == version else None
    except ModelUnavailable:
        manifest = None
    try:
        manifest = manifest or read_manifest(Path(service.settings.model_dir) / version)
        levels = manifest["quantile_levels"]
        known = [ColumnQuantiles.of(column, levels) for column in manifest["columns"] if column.get("quantiles")]
    except (InvalidBundle, KeyError, TypeError):
        return {}
    return {column.name: column for column in known}
