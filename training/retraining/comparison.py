"""The comparison of a candidate with the live model: its results, in sentences and as a table of plain text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from app.records.reading import Period
from app.records.timestamps import format_timestamp
from training.retraining.promotion_gate import PromotionDecision
from training.retraining.quality_comparison import METRICS, Interval, QualityComparison
from training.retraining.traffic_comparison import TrafficComparison


@dataclass(frozen=True)
class ModelComparison:
    """How a candidate compares with the live model.

    Parameters
    ----------
    live
        Name and version of the live model.
    feature_names
        Features of both models.
    offsets
        Thresholds of the live model and of the candidate; rows with lower scores are outliers.
    records
        Where the candidate's training rows come from, as strict JSON values.
    period
        When the rows were answered on which both were compared.
    quality
        Comparison on labelled rows.
    traffic
        Comparison on all recorded rows.
    decision
        Of the promotion gate.
    """

    live: str
    feature_names: tuple[str, ...]
    offsets: tuple[float, float]
    records: dict[str, Any]
    period: Period
    quality: QualityComparison
    traffic: TrafficComparison
    decision: PromotionDecision

    def as_figures(self) -> dict[str, Any]:
        """Return the results as strict JSON values, for scripts."""
        latest, quality = self.traffic.latest.counts, self.quality
        has_traffic = self.traffic.latest.n_recorded > 0
        return {
            "live": self.live,
            "records": self.records,
            "better": self.decision.is_better,
            "doubts": list(self.decision.doubts),
            "quality": {
                "alarms": quality.n_alarms,
                "audited": quality.n_audited,
                "outliers": quality.n_outliers,
                "reason": quality.reason,
                "live": _to_figures(quality.live),
                "candidate": _to_figures(quality.candidate),
                "difference": _to_figures(quality.difference),
            },
            "latest": {
                "since": format_timestamp(self.traffic.latest_since),
                "recorded_rows": self.traffic.latest.n_recorded,
                "agreement": latest.agreement if has_traffic else None,
                "outlier_share_live": latest.flagged_share(0) if has_traffic else None,
                "outlier_share_candidate": latest.flagged_share(1) if has_traffic else None,
            },
        }


def _to_figures(intervals: dict[str, Interval]) -> dict[str, dict[str, float]]:
    """Convert intervals to strict JSON values."""
    return {name: asdict(interval) for name, interval in intervals.items()}


METRIC_TITLES = {"precision": "precision", "recall": "recall", "f1": "F1"}


def conclude(comparison: ModelComparison) -> list[str]:
    """Describe the results in sentences, the most important first."""
    return [_describe_decision(comparison), _describe_traffic(comparison), _describe_labels(comparison)]


def _describe_labels(comparison: ModelComparison) -> str:
    """Describe the labelled rows."""
    quality = comparison.quality
    return (
        f"{quality.n_alarms:,} labelled alarms and {quality.n_audited:,} audited rows are compared, "
        f"{quality.n_outliers:,} of them known outliers; the candidate was trained on none of them."
    )


def tabulate_quality(comparison: ModelComparison) -> str:
    """Format one line per figure as aligned plain text; empty if there are not enough labels."""
    quality = comparison.quality
    if quality.reason:
        return ""
    lines = [
        ("", "live", "candidate", "difference"),
        *(
            (
                METRIC_TITLES[name],
                format_interval(quality.live[name]),
                format_interval(quality.candidate[name]),
                format_interval(quality.difference[name], sign="+"),
            )
            for name in METRICS
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def format_interval(interval: Interval, sign: str = "-") -> str:
    """Format a figure with its interval.

    Examples
    --------
    >>> format_interval(Interval(0.5, 0.25, 0.75), sign="+")
    '+0.500 (+0.250 to +0.750)'
    """
    return f"{interval.value:{sign}.3f} ({interval.low:{sign}.3f} to {interval.high:{sign}.3f})"


def _describe_decision(comparison: ModelComparison) -> str:
    """Describe the decision of the promotion gate."""
    if comparison.decision.is_better:
        return "The candidate is significantly better than the live model."
    return f"The candidate is not significantly better: {'; '.join(comparison.decision.doubts)}."


def _describe_traffic(comparison: ModelComparison) -> str:
    """Describe how both label the latest traffic."""
    latest = comparison.traffic.latest
    if not latest.n_recorded:
        return "No row was answered in the last days."
    return (
        f"On the {latest.counts.rows.sum():,.0f} rows of the last days, both agree on "
        f"{latest.counts.agreement:.3%}; the live model flags {latest.counts.flagged_share(0):.3%}, the candidate "
        f"{latest.counts.flagged_share(1):.3%}."
    )
