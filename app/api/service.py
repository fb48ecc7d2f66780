"""The parts of one service, and what all prediction routes share: score, publish, count, and name the model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from flask import Flask, Response, current_app
from flask.sansio.app import App
from numpy.typing import NDArray

from app.api.records_access import RecordsAccess
from app.errors import IsowatchError
from app.metrics.service import ERROR, INVALID, NO_MODEL, SUCCESS, ServiceMetrics
from app.model.bundle import Bundle
from app.model.live_model import LiveModel
from app.model.scoring import ScoredRow, ScoredRows, score_row, score_rows
from app.recorder.client import RecorderClient
from app.server.scheduler import PeriodicJobs
from app.settings import Settings
from app.web.access_log import RequestLog
from app.web.auth import ApiKeys
from app.web.hosts import AllowedHosts
from app.web.middleware import RECORD_ID_HEADER, RequestIds, request_ids
from app.web.session import Sessions

MODEL_VERSION_HEADER = "X-Model-Version"

_EXTENSION = "isowatch"


@dataclass(frozen=True)
class Service:
    """The parts of one service; two services in one process (in tests) share none of them.

    ``recorder`` is None in a process that runs without a recorder, ``log`` if requests are not logged, ``sessions`` if
    nobody can sign in. ``warnings`` say what does not work because of how the service was started.
    """

    settings: Settings
    metrics: ServiceMetrics
    model: LiveModel
    recorder: RecorderClient | None
    jobs: PeriodicJobs
    log: RequestLog | None
    records: RecordsAccess
    keys: ApiKeys
    hosts: AllowedHosts
    warnings: tuple[str, ...] = ()
    sessions: Sessions | None = None

    def score(self, ids: RequestIds, bundle: Bundle, rows: NDArray[np.floating], segment: str) -> ScoredRows:
        """Score the rows of a request, publish them to the recorder and count them.

        Parameters
        ----------
        ids
            The ids of the request.
        bundle
            The model.
        rows
            Shape ``(n_rows, n_columns)``.
        segment
            The caller's segment; empty if it named none.
        """
        scored = score_rows(bundle, rows)
        if self.recorder is not None:
            self.recorder.publish(ids.request_id, bundle.version, scored, ids.record_id, segment)
        self.metrics.record_scored_rows(scored.scores, scored.labels, scored.confidences)
        if scored.unfamiliar:
            self.metrics.unfamiliar.record(scored.unfamiliar.values())
        return scored

    def score_row(self, ids: RequestIds, bundle: Bundle, row: Sequence[float], segment: str) -> ScoredRow:
        """Score, publish and count one row, with a number within float32 for each column; else as ``score``."""
        scored = score_row(bundle, row)
        if self.recorder is not None:
            self.recorder.publish_row(ids.request_id, bundle.version, scored, ids.record_id, segment)
        self.metrics.record_scored_row(scored.score, scored.label, scored.confidence)
        if scored.unfamiliar:
            self.metrics.unfamiliar.record([scored.unfamiliar])
        return scored

    def close(self) -> None:
        """Stop the background jobs, close connections, and write the last log lines."""
        self.jobs.stop()
        if self.recorder is not None:
            self.recorder.close()
        self.records.close()
        if self.log is not None:
            self.log.flush()

    def attach(self, app: Flask) -> None:
        """Attach this service to ``app``."""
        app.extensions[_EXTENSION] = self


def service_of(app: App) -> Service:
    """Return the service of an application."""
    parts: Service = app.extensions[_EXTENSION]
    return parts


def service() -> Service:
    """Return the service that is answering the current request."""
    return service_of(current_app)


class CountedPrediction:
    """One request to a prediction route, from its first line to its answer or refusal.

    Used as a context manager. On exit it counts the request as success, invalid (the caller's fault) or error (ours)
    under the version that answered, and observes the duration.
    """

    def __init__(self) -> None:
        self._parts = service()
        self._version = NO_MODEL

    def __enter__(self) -> CountedPrediction:
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status = SUCCESS if error is None else INVALID if _is_callers_fault(error) else ERROR
        self._parts.metrics.record_prediction_request(self._version, status, time.perf_counter() - self._started)

    def get_model(self) -> Bundle:
        """Return the live model, to be used for the whole request even if another one becomes live meanwhile.

        Raises
        ------
        ModelUnavailable
            If there is none.
        """
        bundle = self._parts.model.get()
        self._version = bundle.version
        return bundle


def name_model(response: Response, bundle: Bundle) -> Response:
    """Add the header with the version that answered."""
    response.headers[MODEL_VERSION_HEADER] = bundle.version
    return response


def name_record(response: Response, bundle: Bundle) -> Response:
    """Add the headers with the version that answered and the id under which the answer is recorded."""
    response.headers[RECORD_ID_HEADER] = request_ids().record_id
    return name_model(response, bundle)


def _is_callers_fault(error: BaseException) -> bool:
    """Return whether a request could never have been answered, as opposed to our failing to answer it."""
    status = error.status if isinstance(error, IsowatchError) else getattr(error, "code", None) or 500
    return bool(400 <= status < 500)
