"""Checks the assumptions of the figures, as far as the labels themselves show that they do not hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from app.quality.estimate import Estimate
from app.quality.maturity import Maturity
from app.quality.reviewed_rows import ReviewedRows

# A warning without a reason comes in one of a hundred windows, for each of the three tests.
SIGNIFICANCE = 0.01

# With fewer rows on either side, a test of ranks finds hardly anything, and its normal distribution is wrong.
_MIN_ROWS = 10

# Below this, those who label may have left out the difficult rows.
MIN_ANSWERED_SHARE = 0.9

# With fewer, the interval of the share of wrong labels is too wide to object to anything.
_MIN_SECOND_LABELS = 20

# A share of fewer rows means nothing.
_MIN_REQUESTED = 20


@dataclass(frozen=True)
class SampledAlarms:
    """Alarms without a label, drawn at random; each field has the shape ``(n_alarms,)``.

    Parameters
    ----------
    scores, answered_at
        Anomaly scores, and seconds since 1970.
    """

    scores: NDArray[np.float64]
    answered_at: NDArray[np.float64]


@dataclass(frozen=True)
class LabelNoise:
    """The share of wrong labels of audited inliers, and what it means for recall.

    Parameters
    ----------
    assumed
        ``LABEL_NOISE``, in [0, 1].
    estimated
        From rows that two people labelled.
    recall
        As it is reported.
    sensitivity
        Recall for several shares of wrong labels.
    """

    assumed: float
    estimated: Estimate
    recall: Estimate
    sensitivity: Sequence[Estimate]


def find_warnings(
    rows: ReviewedRows, unlabelled: SampledAlarms, maturity: Maturity, noise: LabelNoise, *, is_from_queue: bool
) -> list[str]:
    """Return a sentence for each assumption that does not hold, with the reason and what to do.

    Parameters
    ----------
    rows
        The reviewed rows that count.
    unlabelled
        A random sample of the alarms without a label that are as old.
    maturity
        The age from which rows count.
    noise
        What is known about wrong labels.
    is_from_queue
        Whether only the labels count of alarms that the queue has reached, so that the others do no harm.
    """
    return [
        *(() if is_from_queue else _compare_alarms(rows, unlabelled)),
        *_compare_delays(rows),
        *_count_answered(rows),
        *_judge_maturity(maturity),
        *_judge_noise(noise),
    ]


def rank_test(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Compute the p-value of Mann and Whitney's test by its normal distribution, corrected for ties.

    Parameters
    ----------
    one, other
        Shape ``(n,)`` and ``(m,)``.

    Returns
    -------
    In [0, 1]; 1 if either has fewer than ten numbers, or all are equal.

    References
    ----------
    H. B. Mann and D. R. Whitney, "On a test of whether one of two random variables is stochastically larger than the
    other", Annals of Mathematical Statistics 18, 1947.

    Examples
    --------
    >>> numbers = np.arange(20.0)
    >>> round(rank_test(numbers, numbers + 1), 2), round(rank_test(numbers, numbers + 9), 5)
    (0.6, 0.00016)
    """
    n, m = len(one), len(other)
    if min(n, m) < _MIN_ROWS:
        return 1.0
    place, counts = np.unique(np.concatenate([one, other]), return_inverse=True, return_counts=True)[1:]
    ranks = (counts.cumsum() - (counts - 1) / 2)[place]
    total = n + m
    ties = float(((counts**3.0) - counts).sum()) / (total * (total - 1))
    spread = sqrt(n * m / 12 * (total + 1 - ties)) if total + 1 > ties else 0.0
    distance = abs(float(ranks[:n].sum()) - n * (total + 1) / 2)
    return 2 * NormalDist().cdf(-distance / spread) if spread > 0 else 1.0


def _compare_alarms(rows: ReviewedRows, unlabelled: SampledAlarms) -> Iterator[str]:
    """Compare labelled alarms that the queue did not choose with those without a label, by score and by age."""
    chosen = rows.is_alarm & rows.is_labelled & ~rows.is_requested
    if rank_test(rows.scores[chosen], unlabelled.scores) < SIGNIFICANCE:
        yield (
            "Alarms that were labelled without the queue have other scores than those without a label, so they are not "
            "representative of them: label what POST /audit/next?kind=alarms hands out."
        )
    if rank_test(rows.answered_at[chosen], unlabelled.answered_at) < SIGNIFICANCE:
        yield (
            "Alarms that were labelled without the queue are older or younger than those without a label; if precision "
            "changes with time, it is wrong: label what POST /audit/next?kind=alarms hands out."
        )


def _compare_delays(rows: ReviewedRows) -> Iterator[str]:
    """Compare how long the labels of outliers and of inliers took."""
    delays = rows.labelled_at - np.where(rows.is_requested, rows.handed_at, rows.answered_at)
    for are_alarms, called in ((True, "alarms"), (False, "audited inliers")):
        counted = rows.is_labelled & (rows.is_alarm == are_alarms) & (are_alarms | rows.is_reached)
        if rank_test(delays[counted & rows.is_outlier], delays[counted & ~rows.is_outlier]) < SIGNIFICANCE:
            yield (
                f"Labels of {called} that are outliers take another time to arrive than those that are not, so early "
                "labels are not representative: raise LABEL_MATURITY_HOURS or ask for a longer window."
            )


def _count_answered(rows: ReviewedRows) -> Iterator[str]:
    """Check which share of the rows that were handed out has a label."""
    for are_alarms, called, kind in ((True, "alarms", "precision"), (False, "inliers", "recall")):
        requested = rows.is_requested & (rows.is_alarm == are_alarms)
        n_requested, n_answered = int(requested.sum()), int((requested & rows.is_labelled).sum())
        if n_requested >= _MIN_REQUESTED and n_answered < MIN_ANSWERED_SHARE * n_requested:
            yield (
                f"Only {n_answered:,} of {n_requested:,} {called} that were handed out have a label: if the others are "
                f"the difficult ones, {kind} is wrong. Take fewer rows, and label all of them."
            )


def _judge_maturity(maturity: Maturity) -> Iterator[str]:
    """Check that the window is long enough for the labels."""
    if maturity.is_capped:
        yield (
            "Labels take longer than half of the window to arrive, so even the oldest rows lack some: ask for a longer "
            "window."
        )


def _judge_noise(noise: LabelNoise) -> Iterator[str]:
    """Check that the share of wrong labels is known, where a few of them would move recall out of its interval."""
    estimated, recall = noise.estimated, noise.recall
    if estimated.low is not None and estimated.high is not None and estimated.n_labels >= _MIN_SECOND_LABELS:
        if not estimated.low <= noise.assumed <= estimated.high:
            yield (
                f"LABEL_NOISE is {noise.assumed:g}, but two people who labelled the same rows differ so often that "
                f"{estimated.low:.2g} to {estimated.high:.2g} of labels are wrong: set it to {estimated.value:.2g}."
            )
    elif noise.assumed == 0 and any(_is_outside(each, recall) for each in noise.sensitivity):
        yield (
            "Nobody has checked the labels, and a few wrong ones of audited inliers would move recall out of its "
            "interval, see sensitivity: let a second person label what POST /audit/next?kind=second hands out, and set "
            "LABEL_NOISE."
        )


def _is_outside(estimate: Estimate, reported: Estimate) -> bool:
    """Return whether a figure is outside the interval of the reported one."""
    if estimate.value is None or reported.low is None or reported.high is None:
        return False
    return not reported.low <= estimate.value <= reported.high
