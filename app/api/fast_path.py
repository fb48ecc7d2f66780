"""``POST /prediction`` without Flask, for requests that are as they should be.

Flask's routing, contexts and hooks take more time than everything that a prediction needs. So the usual request is
answered below it, with the same functions as the view in ``app.api.prediction``. Whatever is unusual (another media
type, a body without a length, a mistake, no model, a bug) goes through Flask untouched, and is answered there.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec

from app.api.prediction import PREDICTION_RULE, lay_out_answer, load_prediction_request, row_to_score
from app.api.scoring import MODEL_VERSION_HEADER
from app.api.service import Service
from app.metrics.http import mark_fast_path
from app.metrics.service import SUCCESS
from app.model.scoring import score_rows
from app.web.codecs import JSON_MEDIA_TYPE, decode_json
from app.web.middleware import RECORD_ID_HEADER, id_in, record_id_in


class PredictionFastPath:
    """Answers the usual prediction request, and leaves all others to Flask.

    Parameters
    ----------
    flask
        Flask's own WSGI application.
    parts
        The parts of the service.
    """

    def __init__(self, flask: WSGIApplication, parts: Service) -> None:
        self._flask, self._parts = flask, parts

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        begun = time.perf_counter()
        if not self._is_usual(environ):
            return self._flask(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        try:
            bundle = self._parts.model.get()
            loaded = load_prediction_request(decode_json(body), bundle.features)
            scored = score_rows(bundle, row_to_score(loaded))
            answer = msgspec.json.encode(lay_out_answer(loaded, scored))
        except Exception:
            # Nothing was counted yet: the view meets the same error, counts it, and says what is wrong.
            environ["wsgi.input"] = io.BytesIO(body)
            return self._flask(environ, start_response)
        recorder, record_id = self._parts.recorder, record_id_in(environ)
        recorder.publish(id_in(environ), bundle.version, scored, record_id, loaded["segment"])
        metrics = self._parts.metrics
        metrics.record_scored_rows(scored.scores, scored.labels, scored.confidences)
        metrics.record_prediction_request(bundle.version, SUCCESS, time.perf_counter() - begun)
        mark_fast_path(environ, PREDICTION_RULE)
        headers = [
            ("Content-Type", JSON_MEDIA_TYPE),
            ("Content-Length", str(len(answer))),
            (MODEL_VERSION_HEADER, bundle.version),
            (RECORD_ID_HEADER, record_id),
        ]
        start_response("200 OK", headers)
        return [answer]

    def _is_usual(self, environ: WSGIEnvironment) -> bool:
        """Tell whether this is a prediction request whose body can be read here."""
        length = environ.get("CONTENT_LENGTH") or ""
        return (
            environ["PATH_INFO"] == PREDICTION_RULE
            and environ["REQUEST_METHOD"] == "POST"
            and environ.get("CONTENT_TYPE") == JSON_MEDIA_TYPE
            and length.isdecimal()
            and int(length) <= self._parts.settings.max_body_bytes
        )
