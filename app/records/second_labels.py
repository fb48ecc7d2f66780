"""Reads how often two people gave the same row different labels, from which the share of wrong labels is estimated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import sqrt
from typing import Any

from sqlalchemy import Connection, and_, select

from app.db.tables import AUDITS, LABELS
from app.quality.estimate import Estimate
from app.quality.intervals import wilson_interval
from app.records.window import Window

# Two people who guess differ in half of the rows, and no share of wrong labels explains more.
_MAX_DIFFERENT = 0.5


def estimate_label_noise(connection: Connection, window: Window) -> Estimate:
    """Estimate the share of wrong labels, from rows that were handed out to a second person.

    If both are wrong with probability e, they differ with probability 2 e (1 - e). A second label by the same key and
    source is no second opinion.

    Parameters
    ----------
    connection
        To the database of records.
    window
        The hours of the answers.

    Returns
    -------
    The share in [0, 0.5] with a 95 % interval; ``n_labels`` is the number of rows with two opinions.
    """
    first_id, end_id = window.record_ids
    label, audit = LABELS.c, AUDITS.c
    same_row = and_(label.record_id == audit.record_id, label.row == audit.row)
    statement = (
        select(label.record_id, label.row.label("number"), label.is_inlier, label.source, label.given_by)
        .select_from(AUDITS.join(LABELS, same_row))
        .where(audit.record_id >= first_id, audit.record_id < end_id, audit.checked_at.is_not(None))
        .order_by(label.record_id, label.row, label.given_at)
    )
    are_different = list(_compare(connection.execute(statement).all()))
    if not are_different:
        return Estimate.unknown("no row has one from a second person", 0)
    n_different, n_pairs = sum(are_different), len(are_different)
    value, low, high = map(_wrong_share, (n_different / n_pairs, *wilson_interval(n_different, n_pairs)))
    return Estimate(value, low, high, n_pairs)


def _compare(labels: Sequence[Any]) -> Iterator[bool]:
    """Return, for each row with labels from two people, whether the first two labels differ."""
    for _, of_row in groupby(labels, key=lambda row: (row.record_id, row.number)):
        first, *others = of_row
        for other in others:
            if (other.source, other.given_by) != (first.source, first.given_by):
                yield other.is_inlier != first.is_inlier
                break


def _wrong_share(different: float) -> float:
    """Solve different = 2 e (1 - e) for the share of wrong labels e."""
    return (1 - sqrt(1 - 2 * min(different, _MAX_DIFFERENT))) / 2
