"""``GET /predictions/<request_id>``: what was answered, and what is known of it since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from app.errors import UnknownPrediction
from app.routes.service_parts import service
from app.schemas.query import read_whole_number
from app.web.json_bodies import answer_json
from app.web.moments import write_moment
from app.web.request_id import is_sane
from app.web.security_headers import keep_from_caches

if TYPE_CHECKING:
    from app.records.labels import GivenLabel
    from app.records.recorded_answer import AnsweredRow, PastLabel, RecordedAnswer

# A request may hold thousands of rows, each with its features, labels and history.
MOST_ROWS, DEFAULT_ROWS = 1000, 100

# The largest number of a column of PostgreSQL.
LARGEST_ROW = 2**31 - 1

recorded_prediction = Blueprint("recorded_prediction", __name__)


@recorded_prediction.get("/predictions/<request_id>")
def show_recorded(request_id: str) -> Response:
    """Show a page of the recorded rows of a request."""
    parts = service()
    parts.keys.admit(request.environ)
    first_row = read_whole_number("first_row", request.args.getlist("first_row"), 0, 0, LARGEST_ROW)
    n = read_whole_number("n", request.args.getlist("n"), DEFAULT_ROWS, 1, MOST_ROWS)
    answer = _read(request_id, first_row, n) if is_sane(request_id) else None
    if answer is None:
        place = f" from row {first_row} on" if first_row else ""
        raise UnknownPrediction(
            f"Nothing is recorded under this id{place}: records are kept for {parts.settings.record_retention_days} "
            "days, and not every answer need be recorded."
        )
    return keep_from_caches(answer_json(_lay_out(answer)))


def _read(request_id: str, first_row: int, n: int) -> RecordedAnswer | None:
    """Read a page of an answer."""
    with service().records.use() as engine:
        from app.records.recorded_answer import read_answer

        with engine.connect() as connection:
            return read_answer(connection, request_id, first_row, n)


def _lay_out(answer: RecordedAnswer) -> dict[str, Any]:
    """Lay a page out."""
    return {
        "record_id": answer.record_id,
        "request_id": answer.request_id,
        "same_request_id": answer.same_request,
        "answered_at": write_moment(answer.answered_at),
        "model_version": answer.model_version,
        "segment": answer.segment,
        "rows": [_lay_out_row(row) for row in answer.rows],
        "next_first_row": answer.next_row,
        "waiting_labels": [{"row": label.row} | _lay_out_label(label) for label in answer.waiting],
    }


def _lay_out_row(row: AnsweredRow) -> dict[str, Any]:
    """Lay a row out with its labels: the one that counts apart from those before it."""
    counting = [label for label in row.labels if label.replaced_at is None]
    return {
        "row": row.row,
        "features": row.features,
        "anomaly_score": row.score,
        "is_inlier": row.is_inlier,
        "confidence": row.confidence,
        "recorded_share": row.recorded_share,
        "label": _lay_out_label(counting[0]) if counting else None,
        "history": [
            _lay_out_label(label) | {"replaced_at": write_moment(label.replaced_at)}
            for label in row.labels
            if label.replaced_at is not None
        ],
    }


def _lay_out_label(label: PastLabel | GivenLabel) -> dict[str, Any]:
    """Lay out what a label says."""
    return {
        "is_inlier": label.is_inlier,
        "source": label.source,
        "note": label.note,
        "given_at": write_moment(label.given_at),
    }
