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
    """A drift event: a lasting change, notified once."""

    at = fields.AwareDateTime(required=True)
    row = fields.Integer(required=True, metadata={"description": "Its number among the rows that the detectors saw."})
    feature = fields.String(
        required=True, metadata={"description": "The feature that has moved most; empty if the detector names none."}
    )


class DriftDetector(Schema):
    """The state of one detector."""

    state = fields.String(required=True, validate=validate.OneOf(_DETECTOR_STATES))
    statistic = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "Of the last window; null until a window has been full. Of `counts`: how improbable the "
            "counts of thousands of rows are without drift, as a power of ten."
        },
    )
    threshold = fields.Float(required=True, metadata={"description": "A higher statistic is a drift signal."})
    expected_run_time = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "Mean number of rows between drift signals while nothing changes; null if there can be none."
        },
    )
    alarms = fields.Integer(required=True, metadata={"description": "Number of drift signals so far."})
    events = fields.Integer(required=True, metadata={"description": "Number of drift events (lasting changes) so far."})
    last_event = fields.Nested(DriftEvent, required=True, allow_none=True)
    features = fields.Dict(
        keys=fields.String(),
        values=fields.Float(),
        metadata={
            "description": "Distance of each feature from training, largest first; one window in a thousand is above "
            "1 while nothing changes. Only for `cvm`."
        },
    )


class DriftReport(Schema):
    """The recorder's last report; without detectors, it ends with the version."""

    replica = fields.String(
        required=True, metadata={"description": "Host name of the replica that answers; the report is about its rows."}
    )
    recorder_up = fields.Boolean(required=True, metadata={"description": "False if the report is out of date."})
    updated_at = fields.AwareDateTime(required=True)
    state = fields.String(required=True, validate=validate.OneOf(_STATES))
    model_version = fields.String(required=True, allow_none=True)
    rows_seen = fields.Integer(metadata={"description": "Rows that the detectors saw since this version went live."})
    window = fields.Integer(
        metadata={"description": "Number of rows that a detector compares with training at a time."}
    )
    window_fill = fields.Float(metadata={"description": "The filled part of the window, 0 to 1."})
    expected_run_time = fields.Integer(metadata={"description": "The run time that was requested in training."})
    confirming_windows = fields.Integer(metadata={"description": "Number of windows that must confirm a drift signal."})
    dependence = fields.Float(
        metadata={
            "description": "What the thresholds are multiplied with, 1 to 10, as rows resemble their neighbours "
            "(retries, sessions); 1 for independent rows. In the first 2,000 rows of a version a cautious value."
        }
    )
    detectors = fields.Dict(keys=fields.String(), values=fields.Nested(DriftDetector), required=True)


@drift.get("/drift")
@Operation(
    summary="Whether rows still look like the training rows.",
    description="The state of each drift detector; they see a sample of all workers' rows. A drift event is a change "
    "that lasts, and what alerts are about. A statistic above its threshold is only a drift signal, expected at times.",
    tag="model",
    answer=DriftReport,
    refusals=(503,),
    page="drift",
)
def show_drift() -> Response:
    """Return the recorder's last report."""
    return answer_json(read_report(folder_of_workers()))
