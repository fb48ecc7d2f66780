"""The answers' quality as ``GET /quality`` lays it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.quality.estimate import Estimate
from app.quality.quality import estimate_quality
from app.web.moments import write_moment

if TYPE_CHECKING:
    from app.records.quality_reading import AnswerGroup, QualityReading

# They compare scores of rows with each other, and the scores of two models do not compare.
_OF_ONE_VERSION = ("roc_auc", "average_precision")

_ASSUMPTIONS = (
    "Alarms with a label are taken to be like those without one.",
    "Misses are counted among the inliers that GET /audit/next handed out; those of them with a label are taken to be "
    "like those without one. Other labels of inliers are left out, as rows that somebody complains about are no random "
    "choice.",
    "Hours count whole, by the time of the answer in UTC; answers that did not reach the records are not in it.",
    "Labels that are wrong make figures that are wrong.",
)


def lay_out_quality(reading: QualityReading, asked: str, now: float) -> dict[str, Any]:
    """Estimate the figures of all groups, and lay them out.

    Parameters
    ----------
    reading
        What is known of the answers.
    asked
        The window in the words of the caller.
    now
        Seconds since 1970.
    """
    window = reading.window
    return {
        "window": {
            "asked": asked,
            "since": write_moment(window.first_hour),
            "until": write_moment(min(window.end_hour, now)),
        },
        "estimated_at": write_moment(now),
        "overall": _lay_out(reading.overall),
        "by_model_version": [
            {"model_version": version} | _lay_out(group) for version, group in reading.by_model_version.items()
        ],
        "by_segment": [{"segment": name} | _lay_out(group) for name, group in reading.by_segment.items()],
        "by_day": [{"day": day.isoformat()} | _lay_out(group) for day, group in reading.by_day.items()],
        "assumptions": _ASSUMPTIONS,
    }


def _lay_out(group: AnswerGroup) -> dict[str, Any]:
    """Lay out one group."""
    answers, ratio = group.answers, group.outlier_ratio
    figures = estimate_quality(answers)
    if len(group.model_versions) > 1:
        for name in _OF_ONE_VERSION:
            reason = f"answers of {len(group.model_versions)} model versions, whose scores do not compare"
            figures[name] = Estimate(None, None, None, figures[name].n_labels, reason)
    low, high = ratio.interval
    return {
        "rows": ratio.n_rows,
        "outliers": ratio.n_outliers,
        "outlier_ratio": {"value": ratio.value, "low": low, "high": high},
        "labelled_alarms": len(answers.alarm_scores),
        "audited_inliers": len(answers.audit_scores),
        "figures": {
            name: {"value": of.value, "low": of.low, "high": of.high, "labels": of.n_labels, "reason": of.reason}
            for name, of in figures.items()
        },
    }
