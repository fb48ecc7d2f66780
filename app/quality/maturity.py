"""Estimates how long labels take to arrive. Younger rows do not count: early labels may differ from later ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.quality.reviewed_rows import ReviewedRows

# Of the labels that will ever arrive; the last ones may take for ever.
ARRIVED_SHARE = 0.95

# With fewer, a quantile of 95 % is the largest or the second largest delay.
_MIN_LABELS = 20


@dataclass(frozen=True)
class Maturity:
    """The age from which rows count.

    Parameters
    ----------
    seconds
        At least 0.
    source
        ``"set"``, ``"estimated"``, or ``"unknown"`` with too few labels, when rows of all ages count.
    is_capped
        Whether labels seem to take longer than half of the window.
    """

    seconds: float
    source: str
    is_capped: bool = False


def estimate_maturity(rows: ReviewedRows, since: float, now: float) -> Maturity:
    """Estimate the time by which 95 % of labels arrive; of both kinds of labels, the slower one counts.

    A label's delay begins when a queue handed out its row, otherwise with the answer. Of young rows only the quick
    labels are known, so only rows from the older half of the window are used, and half of the window is the longest
    time that can be found.

    Parameters
    ----------
    rows
        All reviewed rows of the window.
    since, now
        Start and end of the window; seconds since 1970.
    """
    longest = (now - since) / 2
    started = np.where(rows.is_requested, rows.handed_at, rows.answered_at)
    has_delay = rows.is_labelled & (started < now - longest)
    delays = np.where(has_delay, rows.labelled_at - started, np.nan)
    of_kinds = [delays[has_delay & (rows.is_outlier == kind)] for kind in (True, False)]
    groups = [of_kind for of_kind in of_kinds if len(of_kind) >= _MIN_LABELS]
    groups = groups or [delays[has_delay]]
    if len(groups[0]) < _MIN_LABELS:
        return Maturity(0.0, "unknown")
    seconds = max(float(np.quantile(group, ARRIVED_SHARE, method="higher")) for group in groups)
    return Maturity(min(max(seconds, 0.0), longest), "estimated", seconds > longest)
