"""Finds earlier alarms with similar values, so that people see how those were labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, exists

from app.db.tables import LABELS, PREDICTIONS
from app.records.alarms import Alarm, read_alarm, select_newest
from app.records.lookup import RecordKey
from app.records.recorded_answer import read_feature_names

# So many alarms before one are compared with it, in some milliseconds.
_COMPARED_ALARMS = 2_000


@dataclass(frozen=True)
class Similar:
    """Alarms before another one.

    Parameters
    ----------
    nearest
        Those with the nearest values and their distances, the nearest first: the root mean square difference in scales.
    identical
        All with the same values that nobody has labelled.
    """

    nearest: list[tuple[Alarm, float]]
    identical: list[RecordKey]


def find_similar(connection: Connection, alarm: Alarm, scales: Sequence[float], n: int) -> Similar:
    """Find alarms of the same columns before another one whose values are nearest to it.

    Parameters
    ----------
    connection
        To the database of records.
    alarm
        The alarm.
    scales
        What counts as a difference of 1 in each column; 0 where any difference does.
    n
        How many of the nearest to return at most.
    """
    if not alarm.values:
        return Similar([], [])
    row = np.array(alarm.values, np.float32)
    label, answer = LABELS.c, PREDICTIONS.c
    has_label = exists().where(
        label.record_id == answer.record_id, label.row == answer.row, label.replaced_at.is_(None)
    )
    compared = select_newest(alarm.key, _COMPARED_ALARMS).add_columns(
        answer.model_version, answer.features, has_label.label("has_label")
    )
    found = [line for line in connection.execute(compared) if line.features is not None]
    columns = read_feature_names(connection, {alarm.model_version, *(line.model_version for line in found)})
    own = columns.get(alarm.model_version)
    usable = [line for line in found if columns.get(line.model_version) == own and len(line.features) == row.nbytes]
    if not usable:
        return Similar([], [])
    distances = _distances(b"".join(line.features for line in usable), row, np.asarray(scales, np.float64))
    nearest = np.argsort(distances, kind="stable")[:n]
    result = []
    for place in nearest.tolist():
        other = read_alarm(connection, RecordKey(usable[place].record_id, usable[place].row))
        if other is not None:
            result.append((other, float(distances[place])))
    identical = [usable[place] for place in np.flatnonzero(distances == 0).tolist()]
    return Similar(result, [RecordKey(line.record_id, line.row) for line in identical if not line.has_label])


def _distances(features: bytes, row: NDArray[np.float32], scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each row from one; a missing value is as far from any other as one scale."""
    others = np.frombuffer(features, "<f4").reshape(-1, len(row)).astype(np.float64)
    differences = others - row.astype(np.float64)
    differences = np.where(scales > 0, differences / np.where(scales > 0, scales, 1), differences != 0)
    both, one = np.isnan(others) & np.isnan(row), np.isnan(others) ^ np.isnan(row)
    differences = np.where(both, 0.0, np.where(one, 1.0, differences))
    distances: NDArray[np.float64] = np.sqrt(np.mean(np.square(differences), axis=1))
    return distances
