"""All that a comparison of a candidate with the live model has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from app.records.recorded_rows import Period
from training.retraining.quality_comparison import Interval, QualityComparison
from training.retraining.traffic_comparison import TrafficComparison
from training.retraining.training_records import say_time
from training.retraining.verdict import Verdict


@dataclass(frozen=True)
class ModelComparison:
    """What came of comparing.

    Parameters
    ----------
    live
        Name and version of the live model.
    feature_names
        Of both models.
    offsets
        Rows with lower scores are outliers: to the live model, to the candidate.
    records
        What the candidate was trained from, as strict JSON values.
    period
        When the rows were answered that both were compared on.
    quality
        On labelled rows.
    traffic
        On all recorded rows.
    verdict
        Whether the candidate is better.
    """

    live: str
    feature_names: tuple[str, ...]
    offsets: tuple[float, float]
    records: dict[str, Any]
    period: Period
    quality: QualityComparison
    traffic: TrafficComparison
    verdict: Verdict

    def as_figures(self) -> dict[str, Any]:
        """Sum up as strict JSON values, for scripts."""
        latest, quality = self.traffic.latest.counts, self.quality
        has_traffic = self.traffic.latest.n_recorded > 0
        return {
            "live": self.live,
            "records": self.records,
            "better": self.verdict.is_better,
            "doubts": list(self.verdict.doubts),
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
                "since": say_time(self.traffic.latest_since),
                "recorded_rows": self.traffic.latest.n_recorded,
                "agreement": latest.agreement if has_traffic else None,
                "outlier_share_live": latest.flagged_share(0) if has_traffic else None,
                "outlier_share_candidate": latest.flagged_share(1) if has_traffic else None,
            },
        }


def _to_figures(intervals: dict[str, Interval]) -> dict[str, dict[str, float]]:
    """Write intervals as strict JSON values."""
    return {name: asdict(interval) for name, interval in intervals.items()}
