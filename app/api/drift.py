"""``GET /drift``: whether rows still look like the training rows; any worker answers for the whole replica."""

from __future__ import annotations

from flask import Blueprint, Response
from marshmallow import Schema, fields, validate

from app.api.operation import Operation
from app.metrics.directory import folder_of_workers
from app.recorder.status import read_report
from app.web.codecs import answer_json

# As app.recorder.drift writes them into its report. It is not imported: a worker does not load the detectors.
_STATES = ("watching", "no detectors", "no model")
_DETECTOR_STATES = ("not enough rows yet", "no drift", "alarm, being confirmed", "drift")

drift = Blueprint("drift", __name__)


class DriftEvent(Schema):
    """An alarm that was confirmed."""

    at = fields.AwareDateTime(required=True)
    row = fields.Integer(required=True, metadata={"description": "Counted over the rows that the detectors saw."})
    feature = fields.String(
        required=True, metadata={"description": "The one farthest from training; empty if the detector names none."}
    )


class DriftDetector(Schema):
    """Where one detector stands."""

    state = fields.String(required=True, validate=validate.OneOf(_DETECTOR_STATES))
    statistic = fields.Float(
        required=True, allow_none=True, metadata={"description": "Of the last window; null before one was full."}
    )
    threshold = fields.Float(required=True, metadata={"description": "A higher statistic is a first alarm."})
    expected_run_time = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Rows between first alarms while nothing changes; null if it cannot alarm."},
    )
    alarms = fields.Integer(required=True, metadata={"description": "First alarms so far."})
    events = fields.Integer(required=True, metadata={"description": "Confirmed ones."})
    last_event = fields.Nested(DriftEvent, required=True, allow_none=True)
    features = fields.Dict(
        keys=fields.String(),
        values=fields.Float(),
        metadata={
            "description": "How far each feature is from training, farthest first; one window in a thousand is beyond "
            "1 while nothing changes. Of `cvm` only."
        },
    )


class DriftReport(Schema):
    """What the recorder last reported; without detectors, nothing follows the version."""

    replica = fields.String(
        required=True, metadata={"description": "Host name of the replica that answers, about its own rows."}
    )
    recorder_up = fields.Boolean(required=True, metadata={"description": "False if the report is an old one."})
    updated_at = fields.AwareDateTime(required=True)
    state = fields.String(required=True, validate=validate.OneOf(_STATES))
    model_version = fields.String(required=True, allow_none=True)
    rows_seen = fields.Integer(metadata={"description": "By the detectors, since this version went live."})
    window = fields.Integer(metadata={"description": "Rows that a detector compares with training at a time."})
    window_fill = fields.Float(metadata={"description": "The part of the window that is filled, 0 to 1."})
    expected_run_time = fields.Integer(metadata={"description": "The run time that was asked for in training."})
    confirming_windows = fields.Integer(metadata={"description": "Windows that have to confirm an alarm."})
    detectors = fields.Dict(keys=fields.String(), values=fields.Nested(DriftDetector), required=True)


@drift.get("/drift")
@Operation(
    summary="Whether the rows still look like those of training.",
    description="Where each drift detector stands. They look at a sample of all workers' rows; an alarm becomes an "
    "event when the windows after it confirm it.",
    tag="model",
    answer=DriftReport,
    refusals=(503,),
)
def show_drift() -> Response:
    """Return the recorder's last report."""
    return answer_json(read_report(folder_of_workers()))
