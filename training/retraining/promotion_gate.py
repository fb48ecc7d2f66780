"""Whether a candidate is better than the live model beyond doubt: what decides a promotion that nobody looks at."""

from __future__ import annotations

from dataclasses import dataclass

from training.retraining.quality_comparison import CellCounts, QualityComparison

# Whoever looks at alarms has planned for about as many as there are.
MOST_TIMES_AS_MANY_ALARMS = 2.0

# One alarm in a thousand rows is bearable however few the live model gives.
ALWAYS_BEARABLE_SHARE = 0.001


@dataclass(frozen=True)
class Verdict:
    """Whether the candidate may go live by itself.

    Parameters
    ----------
    doubts
        Why not, each as a part of a sentence; empty if it may.
    """

    doubts: tuple[str, ...]

    @property
    def is_better(self) -> bool:
        """Whether the candidate is better beyond doubt, and raises no flood of alarms."""
        return not self.doubts


def decide_promotion(quality: QualityComparison, latest: CellCounts) -> Verdict:
    """Decide.

    Parameters
    ----------
    quality
        What labelled rows say.
    latest
        The latest traffic.
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
    elif latest.flagged_share(1) > max(MOST_TIMES_AS_MANY_ALARMS * latest.flagged_share(0), ALWAYS_BEARABLE_SHARE):
        doubts.append(
            f"the candidate flags {latest.flagged_share(1):.3%} of the latest rows, more than "
            f"{MOST_TIMES_AS_MANY_ALARMS:g} times as many as the live model's {latest.flagged_share(0):.3%}"
        )
    return Verdict(tuple(doubts))
