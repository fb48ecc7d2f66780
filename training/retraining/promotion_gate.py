"""The promotion gate: whether a candidate may replace the live model without a person looking at it."""

from __future__ import annotations

from dataclasses import dataclass

from training.retraining.quality_comparison import CellCounts, QualityComparison

# The people who check alarms can handle about as many as there are now.
MAX_ALARM_RATIO = 2.0

# One alarm in a thousand rows is acceptable however few the live model raises.
ACCEPTABLE_ALARM_SHARE = 0.001


@dataclass(frozen=True)
class PromotionDecision:
    """The decision of the promotion gate.

    Parameters
    ----------
    doubts
        Why the candidate must not be promoted, each as part of a sentence; empty if it may be.
    """

    doubts: tuple[str, ...]

    @property
    def is_better(self) -> bool:
        """Whether the candidate is significantly better, and does not raise far more alarms."""
        return not self.doubts


def decide_promotion(quality: QualityComparison, latest: CellCounts) -> PromotionDecision:
    """Decide whether a candidate may be promoted.

    Parameters
    ----------
    quality
        Comparison on labelled rows.
    latest
        Counts of the latest traffic.
    """
    doubts = []
    if quality.reason:
        doubts.append(quality.reason)
    elif (difference := quality.difference["f1"]).low <= 0:
        doubts.append(
            f"the 95 % interval of F1's difference, {difference.low:+.3f} to {difference.high:+.3f}, is not above 0"
        )
    if not latest.rows.sum():
        doubts.append("there is no traffic in the latest days to compare on")
    elif latest.flagged_share(1) > max(MAX_ALARM_RATIO * latest.flagged_share(0), ACCEPTABLE_ALARM_SHARE):
        doubts.append(
            f"the candidate flags {latest.flagged_share(1):.3%} of the latest rows, more than "
            f"{MAX_ALARM_RATIO:g} times as many as the live model's {latest.flagged_share(0):.3%}"
        )
    return PromotionDecision(tuple(doubts))
