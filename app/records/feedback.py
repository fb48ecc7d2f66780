"""Takes labels as they come: of recorded rows, of rows whose record is still to come, and of rows that nobody knows."""

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
from app.records.labels import GivenLabel, keep_labels
from app.records.lookup import FoundRow, find_rows
from app.records.pending_labels import add_pending, everything_is_written_until, remove_pending, still_pending

_Result = TypeVar("_Result")

TAKEN, UNCHANGED, WAITING, UNKNOWN = "taken", "unchanged", "waiting", "unknown"

# Another process may give a row its first label at the same moment; the second try meets that label, and a third needs
# yet another.
_TRIES = 5

# The recorder looks once a second for labels that wait. Longer would hold up whoever sends labels, for little.
_PATIENCE_SECONDS = 2.0

# Short beside a second, long beside the two index searches that a look costs.
_LOOK_SECONDS = 0.1


class Outcome(NamedTuple):
    """What became of a label; of one that was taken here, also what the model said and when."""

    result: str
    found: FoundRow | None = None


@dataclass(frozen=True)
class Feedback:
    """What became of each of some labels, and the numbers of those that wait, by their place."""

    outcomes: list[Outcome]
    waiting: dict[int, int]


def take_labels(engine: Engine, labels: Sequence[GivenLabel]) -> Feedback:
    """Keep labels in one transaction: when this returns, none is lost.

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
        outcomes = _keep(connection, labels, found)
        unrecorded = [place for place, row in enumerate(found) if row is None]
        numbers = add_pending(connection, [labels[place] for place in unrecorded]) if unrecorded else []
        return Feedback(outcomes, dict(zip(unrecorded, numbers, strict=True)))

    return _in_a_transaction(engine, take)


def wait_for_records(
    use: Callable[[], AbstractContextManager[Engine]],
    labels: Sequence[GivenLabel],
    feedback: Feedback,
    *,
    may_wait: bool,
    expects_recorder: bool = False,
) -> list[Outcome]:
    """Wait until the records of waiting labels have come, or it is sure that none will.

    Parameters
    ----------
    use
        Gives the database of records for the time of one look.
    labels
        What :func:`take_labels` was given.
    feedback
        What it gave.
    may_wait
        Whether to look more than once, for two seconds.
    expects_recorder
        Whether there is to be a recorder: see :func:`everything_is_written_until`.

    Returns
    -------
    What became of each label. Those that the recorder has settled meanwhile are taken, without what the model said,
    because the recorder counts them.
    """
    outcomes, waiting = list(feedback.outcomes), dict(feedback.waiting)
    deadline = time.monotonic() + (_PATIENCE_SECONDS if may_wait else 0)
    while waiting:
        try:
            with use() as engine:
                settled = _look(engine, labels, waiting, expects_recorder)
        except RecordsUnavailable:
            break  # the labels are kept, whatever happens to the database now
        for place, outcome in settled.items():
            outcomes[place] = outcome
            del waiting[place]
        if not waiting or time.monotonic() >= deadline:
            break
        time.sleep(_LOOK_SECONDS)
    return outcomes


def _look(
    engine: Engine, labels: Sequence[GivenLabel], waiting: dict[int, int], expects_recorder: bool
) -> dict[int, Outcome]:
    """Tell what has become of waiting labels; those of which nothing is known yet are left out."""
    last_given = max(labels[place].given_at for place in waiting)
    # The order matters: a record that comes after the first question is found by whoever ends the waiting.
    with engine.connect() as connection:
        none_will_come = everything_is_written_until(
            connection, last_given, time.time(), expects_recorder=expects_recorder
        )
        remaining = still_pending(connection, {number: labels[place] for place, number in waiting.items()})
        rest = {place: number for place, number in waiting.items() if number in remaining}
        rows = find_rows(connection, [labels[place].of for place in rest])
    settled = {place: Outcome(TAKEN) for place in waiting if place not in rest}
    # The recorder would find these as well, up to a second later.
    come = {place for place in rest if labels[place].of in rows}
    ended = {place: number for place, number in rest.items() if none_will_come or place in come}
    return settled | (_end_waiting(engine, labels, ended) if ended else {})


def _end_waiting(engine: Engine, labels: Sequence[GivenLabel], waiting: dict[int, int]) -> dict[int, Outcome]:
    """Give up labels whose records will not come; those whose records came at the last moment are kept."""

    def end(connection: Connection) -> dict[int, Outcome]:
        remaining = still_pending(connection, {number: labels[place] for place, number in waiting.items()})
        ours = remove_pending(connection, remaining)
        places = [place for place, number in waiting.items() if number in ours]
        rows = find_rows(connection, [labels[place].of for place in places])
        found = [rows.get(labels[place].of) for place in places]
        outcomes = _keep(connection, [labels[place] for place in places], found)
        ended = {
            place: Outcome(UNKNOWN) if outcome.result == WAITING else outcome
            for place, outcome in zip(places, outcomes, strict=True)
        }
        # The recorder was faster with the others.
        return {place: ended.get(place, Outcome(TAKEN)) for place in waiting}

    return _in_a_transaction(engine, end)


def _keep(connection: Connection, labels: Sequence[GivenLabel], found: Sequence[FoundRow | None]) -> list[Outcome]:
    """Keep the labels of rows that were found; the others wait."""
    known = [(row, label) for row, label in zip(found, labels, strict=True) if row is not None]
    kept = iter(keep_labels(connection, known))
    return [
        Outcome(WAITING) if row is None else Outcome(TAKEN, row) if next(kept) else Outcome(UNCHANGED, row)
        for row in found
    ]


def _in_a_transaction(engine: Engine, work: Callable[[Connection], _Result]) -> _Result:
    """Do something in a transaction that writes, again if another process was faster with one of the rows."""
    for _ in range(_TRIES - 1):
        try:
            with write_transaction(engine) as connection:
                return work(connection)
        except IntegrityError:
            continue
    with write_transaction(engine) as connection:
        return work(connection)
