"""``/thresholds``: what other thresholds would have done on recorded traffic; an admin may move the threshold."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from marshmallow import Schema, fields, validate
from werkzeug.exceptions import Conflict

from app.api.answer_cache import AnswerCache, AnswerFiles
from app.api.models import promote_version, refusing_changes
from app.api.operation import NO_MODEL, NO_RECORDS, Operation
from app.api.quality import window_parameter, window_seconds
from app.api.quality_report import QualityFigure, QualityWindow, serialize_figure, serialize_window
from app.api.service import service, service_of
from app.model.bundle import REFERENCE_FILE, Bundle, is_signature_required
from app.model.store.promotion_rules import require_consent
from app.model.threshold_choice import TrainingScores, p_value_of
from app.records.timestamps import SECONDS_PER_DAY, format_timestamp
from app.settings import Settings
from app.web.auth import caller_in
from app.web.codecs import JSON_MEDIA_TYPE, answer_json, load_body, read_json
from app.web.fields import StrictBoolean
from app.web.key_file import ADMIN
from app.web.query import refuse_unknown

if TYPE_CHECKING:
    from app.quality.what_if import CountedAnswers, Effect

_DEFAULT_DAYS = 30

# Enough for a smooth curve; from the score of the most abnormal training row to one that flags a fifth of them, which
# is more than people look at.
_N_CANDIDATES, _LAXEST_CONTAMINATION = 50, 0.2

_CACHE = "isowatch_threshold_answers"

thresholds = Blueprint("thresholds", __name__)


class ThresholdEffect(Schema):
    """What a threshold would have done in the window."""

    threshold = fields.Float(required=True, metadata={"description": "Rows with a lower score are alarms."})
    alarms = fields.Float(required=True)
    alarms_low = fields.Float(
        required=True,
        metadata={"description": "End of the 95 % interval; equal to `alarms` if all answers are recorded."},
    )
    alarms_high = fields.Float(required=True)
    alarms_per_day = fields.Float(required=True, allow_none=True)
    share = fields.Float(required=True, allow_none=True, metadata={"description": "Of all answers; null without any."})
    p_value = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "The largest p-value of an alarm; null if the model has no out-of-bag scores."},
    )
    precision = fields.Nested(QualityFigure, required=True)
    recall = fields.Nested(QualityFigure, required=True)


class ThresholdReport(Schema):
    """What other thresholds of the live model would have done."""

    window = fields.Nested(QualityWindow, required=True)
    estimated_at = fields.AwareDateTime(required=True)
    model_version = fields.String(required=True)
    rows = fields.Integer(
        required=True, metadata={"description": "Answers of this forest, with whatever threshold, recorded or not."}
    )
    days = fields.Float(required=True, metadata={"description": "From the first of these answers until now."})
    live = fields.Nested(ThresholdEffect, required=True)
    thresholds = fields.List(
        fields.Nested(ThresholdEffect), required=True, metadata={"description": "From strict to lax."}
    )


def find_candidates(bundle: Bundle) -> list[float]:
    """Return candidate thresholds as scores, ascending; the first flags no training row."""
    scores = TrainingScores.read(bundle.folder / REFERENCE_FILE)
    laxest = max(scores.find_threshold(_LAXEST_CONTAMINATION), bundle.forest.offset)
    candidates: list[float] = np.unique(np.linspace(scores.scores[0], laxest, _N_CANDIDATES)).tolist()
    return candidates


@thresholds.record
def _add_cache(state: BlueprintSetupState) -> None:
    """Add a cache to each service."""
    files = AnswerFiles(service_of(state.app).settings, "thresholds")
    state.app.extensions[_CACHE] = AnswerCache(files=files)


@thresholds.get("/thresholds")
@Operation(
    summary="What other thresholds would have done on recorded traffic.",
    description="For thresholds from strict to lax and for the live one: alarms, share and p-value, and precision and "
    "recall with 95 % intervals where labels allow. `python -m training threshold` moves the threshold.",
    tag="model",
    answer=ThresholdReport,
    # The document is the same for any retention time.
    query=(window_parameter(Settings().record_retention_days, _DEFAULT_DAYS),),
    refusals=(422, *NO_RECORDS),
)
def show_thresholds() -> Response:
    """Return the effects in a window that ends now."""
    parameter = window_parameter(service().settings.record_retention_days, _DEFAULT_DAYS)
    refuse_unknown(request.args, [parameter])
    window = parameter.read(request.args)
    bundle = service().model.get()
    cache: AnswerCache = current_app.extensions[_CACHE]
    answer = cache.get(f"{window} {bundle.version}", lambda: _estimate(window, bundle))
    return Response(answer, mimetype=JSON_MEDIA_TYPE)


def _estimate(requested: str, bundle: Bundle) -> bytes:
    """Read the records, estimate the effects, and return them as JSON."""
    now = time.time()
    candidates, live = find_candidates(bundle), bundle.forest.offset
    with service().records.use() as engine:
        # Imported here, so that a worker loads SQLAlchemy only when records are requested.
        from app.quality.what_if import estimate_effects
        from app.records.threshold_query import LiveThreshold, read_threshold_counts
        from app.records.window import Window

        window = Window.around(now - window_seconds(requested), now)
        in_force = LiveThreshold(bundle.version, live, service().settings.record_predictions)
        scores = np.unique([live, *candidates])
        answers, known = read_threshold_counts(engine, in_force, window, scores, now)
    effects = {effect.threshold: _serialize(effect, answers, bundle) for effect in estimate_effects(answers, known)}
    report = {
        "window": serialize_window(requested, window, now),
        "estimated_at": format_timestamp(now),
        "model_version": bundle.version,
        "rows": answers.n_rows,
        "days": answers.n_seconds / SECONDS_PER_DAY,
        "live": effects[live],
        "thresholds": [effects[candidate] for candidate in candidates],
    }
    return msgspec.json.encode(report)


def _serialize(effect: Effect, answers: CountedAnswers, bundle: Bundle) -> dict[str, Any]:
    """Return an effect as JSON values."""
    n_days = answers.n_seconds / SECONDS_PER_DAY
    return {
        "threshold": effect.threshold,
        "alarms": effect.n_alarms,
        "alarms_low": effect.low,
        "alarms_high": effect.high,
        "alarms_per_day": effect.n_alarms / n_days if n_days else None,
        "share": min(1.0, effect.n_alarms / answers.n_rows) if answers.n_rows else None,
        "p_value": p_value_of(bundle.out_of_bag, effect.threshold),
        "precision": serialize_figure(effect.precision),
        "recall": serialize_figure(effect.recall),
    }


class NewThreshold(Schema):
    """The threshold to use from now on."""

    threshold = fields.Float(
        required=True,
        validate=validate.Range(-1, 0),
        metadata={"description": "As a score: rows with a lower one are alarms."},
    )
    model_version = fields.String(
        required=True,
        metadata={"description": "The live version that the choice was made for; 409 if another one is live by now."},
    )
    force = StrictBoolean(
        load_default=False, metadata={"description": "Consent to a threshold that is probably of no use."}
    )


class MovedThresholdAnswer(Schema):
    """The version with the new threshold, which goes live."""

    version = fields.String(required=True)
    threshold = fields.Float(required=True)


_NEW_THRESHOLD = NewThreshold()


@thresholds.post("/thresholds")
@Operation(
    summary="Move the threshold.",
    description="Makes a version with the same forest and another threshold, and makes it live; all workers use it "
    "within two seconds. 409 says why not, and what to do; if the service may not write to the model store, that is a "
    "command.",
    tag="model",
    request=NewThreshold,
    answer=MovedThresholdAnswer,
    refusals=(400, 409, 413, 415, 422, *NO_MODEL),
    role=ADMIN,
)
def move() -> Response:
    """Make a version with another threshold, and promote it."""
    loaded = load_body(read_json(request), _NEW_THRESHOLD)
    bundle, score = service().model.get(), loaded["threshold"]
    if bundle.version != loaded["model_version"]:
        raise Conflict(f"{bundle.version} is live by now, and not {loaded['model_version']}: look at its thresholds.")
    # Imported here, because hardly any worker ever moves a threshold.
    from app.drift.outlier_share import recalibrate
    from app.model.store.moved_threshold import move_threshold
    from app.model.store.store import ModelStore

    store = ModelStore(Path(service().settings.model_dir))
    command = f"`python -m training threshold {bundle.version} --score {score} --promote`"
    if is_signature_required():
        raise Conflict(f"BUNDLE_PUBLIC_KEY requires a signature: run {command}, and sign the new version.")
    consent = {"replace": False, "force": loaded["force"]}
    with refusing_changes(command):
        # Before it is stored: a version that may not go live would be left behind by each attempt.
        moved = move_threshold(
            store,
            bundle,
            score,
            recalibrate,
            caller_in(request.environ),
            lambda manifest: require_consent(store.folder, manifest, **consent),
        )
    version: str = moved.manifest["version"]
    promote_version(version, consent)
    return answer_json({"version": version, "threshold": score})
