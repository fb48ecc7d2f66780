"""What every prediction route does around its own work: take the live model, score, and count, whatever happens."""

from __future__ import annotations

import time
from types import TracebackType

import numpy as np
from flask import Response, request
from numpy.typing import NDArray

from app.api.service import service
from app.errors import IsowatchError
from app.metrics.service import ERROR, INVALID, NO_MODEL, SUCCESS
from app.model.bundle import Bundle
from app.model.scoring import ScoredRows, score_rows
from app.web.middleware import RECORD_ID_HEADER, record_id_in, request_id

MODEL_VERSION_HEADER = "X-Model-Version"


class CountedPrediction:
    """One request to a prediction route, from its first line to its answer or refusal.

    Used as a context manager: leaving it counts the request as success, invalid (the caller's fault) or error (ours),
    under the version that answered, and measures the time in between.
    """

    def __init__(self) -> None:
        self._parts = service()
        self._version = NO_MODEL

    def __enter__(self) -> CountedPrediction:
        self._begun = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status = SUCCESS if error is None else INVALID if _is_callers_fault(error) else ERROR
        self._parts.metrics.record_prediction_request(self._version, status, time.perf_counter() - self._begun)

    def take_model(self) -> Bundle:
        """Take the live model, for the whole request, whatever becomes live meanwhile.

        Raises
        ------
        ModelUnavailable
            If there is none.
        """
        bundle = self._parts.model.get()
        self._version = bundle.version
        return bundle

    def score(self, bundle: Bundle, rows: NDArray[np.float32], segment: str) -> ScoredRows:
        """Score rows, shape ``(n_rows, n_features)``, count the answers and hand them to the recorder."""
        scored = score_rows(bundle, rows)
        self._parts.recorder.publish(request_id(), bundle.version, scored, record_id_in(request.environ), segment)
        self._parts.metrics.record_scored_rows(scored.scores, scored.labels, scored.confidences)
        return scored


def name_model(response: Response, bundle: Bundle) -> Response:
    """Say in a header which version answered."""
    response.headers[MODEL_VERSION_HEADER] = bundle.version
    return response


def name_prediction(response: Response, bundle: Bundle) -> Response:
    """Say in headers which version answered, and under which id the answer is recorded."""
    response.headers[RECORD_ID_HEADER] = record_id_in(request.environ)
    return name_model(response, bundle)


def _is_callers_fault(error: BaseException) -> bool:
    """Tell a request that could never be answered from one that we failed to answer."""
    status = error.status if isinstance(error, IsowatchError) else getattr(error, "code", None) or 500
    return bool(400 <= status < 500)
