"""``POST /predictions``: many rows in, labels and scores out, as JSON, CSV or newline-delimited JSON."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Request, Response, request

from app.errors import NotAnAcceptableMediaType, NotARowsMediaType
from app.model.features import Features
from app.routes.counted_prediction import CountedPrediction, name_prediction
from app.routes.service_parts import service
from app.schemas.feature_vectors import check_number_of_rows
from app.schemas.loading import refuse
from app.schemas.predictions import Batch, load_predictions_request
from app.schemas.segment import read_segment
from app.web.json_bodies import JSON_MEDIA_TYPE, answer_json, read_json
from app.web.row_texts import (
    CSV_MEDIA_TYPE,
    NDJSON_MEDIA_TYPE,
    read_csv,
    read_ndjson,
    to_array,
    write_csv,
    write_ndjson,
)

_MEDIA_TYPES = (JSON_MEDIA_TYPE, CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE)

# Texts of rows have no place for a wish, so it stands in the address: /predictions?score=true&segment=DE
_BOOLEANS = {"true": True, "false": False}

predictions = Blueprint("predictions", __name__)


@predictions.post("/predictions")
def predict_many() -> Response:
    """Score many rows in one go."""
    with CountedPrediction() as counted:
        settings = service().settings
        request.max_content_length = settings.max_batch_body_bytes
        bundle = counted.take_model()
        answer_type = _choose_answer_type(request)
        wants_score, wants_confidence = _read_wish(request, "score"), _read_wish(request, "confidence")
        segment = read_segment(request.args.getlist("segment"))
        batch = _read_batch(request, bundle.features, settings.max_batch_rows)
        scored = counted.score(bundle, batch.rows, batch.segment or segment)
        answer: dict[str, list[Any]] = {"is_inlier": scored.labels.tolist()}
        if batch.score or wants_score:
            answer["anomaly_score"] = scored.scores.tolist()
        if batch.confidence or wants_confidence:
            answer["confidence"] = scored.confidences.tolist()
        return name_prediction(_write(answer, answer_type), bundle)


def _choose_answer_type(asked: Request) -> str:
    """Answer in the form that the caller accepts; in the form of the request if it accepts several alike."""
    own = asked.mimetype if asked.mimetype in _MEDIA_TYPES else JSON_MEDIA_TYPE
    if "Accept" not in asked.headers:
        return own
    # The first of equals wins.
    chosen = asked.accept_mimetypes.best_match([own, *(other for other in _MEDIA_TYPES if other != own)])
    if chosen is None:
        raise NotAnAcceptableMediaType(f"Accept one of {', '.join(_MEDIA_TYPES)}.")
    return chosen


def _read_batch(asked: Request, features: Features, max_rows: int) -> Batch:
    """Read the rows, in whatever form they come."""
    if asked.mimetype == JSON_MEDIA_TYPE:
        return load_predictions_request(read_json(asked), features, max_rows)
    if asked.mimetype not in _MEDIA_TYPES:
        raise NotARowsMediaType(f"Send the body as Content-Type: {', '.join(_MEDIA_TYPES)}.")
    body = asked.get_data(cache=False)
    rows: list[Any] = read_csv(body, features) if asked.mimetype == CSV_MEDIA_TYPE else read_ndjson(body)
    check_number_of_rows(len(rows), max_rows)
    return Batch(to_array(rows, features), score=False, confidence=False, segment="")


def _read_wish(asked: Request, name: str) -> bool:
    """Tell whether the address asks for scores, or for confidences."""
    given = asked.args.getlist(name) or ["false"]
    if len(given) > 1 or given[0] not in _BOOLEANS:
        raise refuse({name: [f"expected true or false, got {' and '.join(given)}"]})
    return _BOOLEANS[given[0]]


def _write(answer: dict[str, list[Any]], media_type: str) -> Response:
    """Lay the answer out."""
    if media_type == CSV_MEDIA_TYPE:
        return Response(write_csv(answer), mimetype=media_type)
    if media_type == NDJSON_MEDIA_TYPE:
        return Response(write_ndjson(answer), mimetype=media_type)
    return answer_json(answer)
