"""Takes labels from callers, whether the row is recorded, about to be recorded, or unknown."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from app.db.engine import write_transaction
from app.errors import RecordsUnavailable
from app.records.events import WITHDRAWALS, count_remarks
from app.records.labels import GivenLabel, store_labels, withdraw_labels
from app.records.lookup import FoundRow, RowName, find_rows
from app.records.pending_labels import (
    add_pending,
    is_all_written_until,
    remove_pending,
    still_pending,
    withdraw_pending,
)

_Result = TypeVar("_Result")

TAKEN, UNCHANGED, WAITING, UNKNOWN = "taken", "unchanged", "waiting", "unknown"

# Another process may give a row its first label at the same time. The second attempt finds that label; a third is
# needed only if yet another process does the same.
_MAX_ATTEMPTS = 5

# The recorder reconciles pending labels once a second. Waiting longer would delay the caller for little gain.
_WAIT_SECONDS = 2.0

# Short compared with a second, long compared with the two index searches of a poll.
_POLL_SECONDS = 0.1


class Outcome(NamedTuple):
    """The result for a label, and the recorded row if this process stored the label."""

    result: str
    found: FoundRow | None = None


@dataclass(frozen=True)
class Feedback:
    """The outcomes of some labels, and the numbers of the pending ones by their position."""

    outcomes: list[Outcome]
    waiting: dict[int, int]


def take_labels(engine: Engine, labels: Sequence[GivenLabel]) -> Feedback:
    """Store labels in one transaction: when this returns, none can be lost.

    Parameters
    ----------
    engine
        The database of records.
    labels
        At most a thousand.
    """

    def take(connection: Connection) -> Feedback:
        rows = find_rows(connection, [label.of for label in labels])
        found = [rows.get(label.of) for label in labels]
        outcomes = _store(connection, labels, found)
        unrecorded = [place for place, row in enumerate(found) if row is None]
        numbers = add_pending(connection, [labels[place] for place in unrecorded]) if unrecorded else []
        return Feedback(outcomes, dict(zip(unrecorded, numbers, strict=True)))

    return _in_transaction(engine, take)


def withdraw(engine: Engine, rows: Sequence[RowName], given_by: str | None, now: float) -> list[bool]:
    """Withdraw what one person said about rows, recorded or not; return for each row whether there was anything.

    Parameters
    ----------
    engine
        The database of records.
    rows
        At most a thousand.
    given_by
        The name of the person's API key; None for what was said without one.
    now
        Seconds since 1970.
    """

    def take_back(connection: Connection) -> list[bool]:
        found = find_rows(connection, rows)
        known = [row for row in rows if row in found]
        were_said = dict(
            zip(known, withdraw_labels(connection, [found[row].key for row in known], given_by), strict=True)
        )
        pending = withdraw_pending(connection, set(rows), given_by)
        are_withdrawn = [were_said.get(row, False) or row in pending for row in rows]
        count_remarks(connection, given_by, WITHDRAWALS, sum(are_withdrawn), now)
        return are_withdrawn

    return _in_transaction(engine, take_back)


def wait_for_records(
    use: Callable[[], AbstractContextManager[Engine]],
    labels: Sequence[GivenLabel],
    feedback: Feedback,
    *,
    may_wait: bool,
    expects_recorder: bool = False,
) -> list[Outcome]:
    """Wait until the records of pending labels have been written, or it is certain that they will not be.

    Parameters
    ----------
    use
        Opens the database of records for one poll.
    labels
        The labels passed to :func:`take_labels`.
    feedback
        What it returned.
    may_wait
        Whether to poll for two seconds, instead of once.
    expects_recorder
        Whether there should be a recorder; see :func:`is_all_written_until`.

    Returns
    -------
    The outcome of each label. A label that the recorder has reconciled meanwhile is taken, without the recorded row,
    because the recorder counts it.
    """
    outcomes, waiting = list(feedback.outcomes), dict(feedback.waiting)
    deadline = time.monotonic() + (_WAIT_SECONDS if may_wait else 0)
    while waiting:
        try:
            with use() as engine:
                settled = _poll(engine, labels, waiting, expects_recorder)
        except RecordsUnavailable:
            break  # the labels are stored, whatever happens to the database now
        for place, outcome in settled.items():
            outcomes[place] = outcome
            del waiting[place]
        if not waiting or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    return outcomes


def _poll(
    engine: Engine, labels: Sequence[GivenLabel], waiting: dict[int, int], expects_recorder: bool
) -> dict[int, Outcome]:
    """Return the outcomes of pending labels; those that are still undecided are left out."""
    last_given = max(labels[place].given_at for place in waiting)
    # The order matters: a record that is written after the first query is found by _settle.
    with engine.connect() as connection:
        is_all_written = is_all_written_until(connection, last_given, time.time(), expects_recorder=expects_recorder)
        remaining = still_pending(connection, {number: labels[place] for place, number in waiting.items()})
        rest = {place: number for place, number in waiting.items() if number in remaining}
        rows = find_rows(connection, [labels[place].of for place in rest])
    settled = {place: Outcome(TAKEN) for place in waiting if place not in rest}
    # The recorder would find these as well, up to a second later.
    recorded = {place for place in rest if labels[place].of in rows}
    decided = {place: number for place, number in rest.items() if is_all_written or place in recorded}
    return settled | (_settle(engine, labels, decided) if decided else {})


def _settle(engine: Engine, labels: Sequence[GivenLabel], waiting: dict[int, int]) -> dict[int, Outcome]:
    """Store labels whose records have appeared, and drop the others, whose records will not."""

    def settle(connection: Connection) -> dict[int, Outcome]:
        remaining = still_pending(connection, {number: labels[place] for place, number in waiting.items()})
        ours = remove_pending(connection, remaining)
        places = [place for place, number in waiting.items() if number in ours]
        rows = find_rows(connection, [labels[place].of for place in places])
        found = [rows.get(labels[place].of) for place in places]
        outcomes = _store(connection, [labels[place] for place in places], found)
        settled = {
            place: Outcome(UNKNOWN) if outcome.result == WAITING else outcome
            for place, outcome in zip(places, outcomes, strict=True)
        }
        # The recorder has reconciled the others.
        return {place: settled.get(place, Outcome(TAKEN)) for place in waiting}

    return _in_transaction(engine, settle)


def _store(connection: Connection, labels: Sequence[GivenLabel], found: Sequence[FoundRow | None]) -> list[Outcome]:
    """Store the labels of rows that were found; the others are pending."""
    known = [(row, label) for row, label in zip(found, labels, strict=True) if row is not None]
    are_stored = iter(store_labels(connection, known))
    return [
        Outcome(WAITING) if row is None else Outcome(TAKEN, row) if next(are_stored) else Outcome(UNCHANGED, row)
        for row in found
    ]


def _in_transaction(engine: Engine, work: Callable[[Connection], _Result]) -> _Result:
    """Run work in a transaction that writes; retry if another process was faster with one of the rows."""
    for _ in range(_MAX_ATTEMPTS - 1):
        try:
            with write_transaction(engine) as connection:
                return work(connection)
        except IntegrityError:
            continue
    with write_transaction(engine) as connection:
        return work(connection)
