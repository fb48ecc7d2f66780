"""Turns rows as workers hand them over into rows of the tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.db.throttle import Throttle
from app.recorder.protocol import PublishedRows
from app.records.sampling import RowSampler
from app.records.timestamps import SECONDS_PER_HOUR
from app.records.writing import KnownSegments, RecordBatch

# As the column says, on every machine.
_FEATURES = np.dtype("<f4")


class BatchBuilder:
    """Lays rows out for one transaction, and draws which of them are recorded.

    Parameters
    ----------
    choice
        Draws.
    segments
        Names segments; it has learnt those of the rows.
    keeps_features
        Whether feature values are recorded.
    pace
        Says when to rest.
    """

    def __init__(self, choice: RowSampler, segments: KnownSegments, keeps_features: bool, pace: Throttle) -> None:
        self._choice, self._segments, self._keeps_features, self._pace = choice, segments, keeps_features, pace

    def build(self, parts: Sequence[PublishedRows]) -> RecordBatch:
        """Lay rows out; the same rows may be drawn otherwise the next time."""
        labels = np.concatenate([part.scored.labels for part in parts])
        chosen = self._choice.choose(labels)
        columns = zip(
            labels.tolist(),
            np.concatenate([part.scored.scores for part in parts]).tolist(),
            np.concatenate([part.scored.confidences for part in parts]).tolist(),
            chosen.are_recorded.tolist(),
            chosen.recorded_shares.tolist(),
            chosen.are_audited.tolist(),
            strict=True,
        )
        batch = RecordBatch()
        predictions = batch.predictions
        for part in parts:
            n_rows, n_features = part.scored.rows.shape
            request_id = None if part.request_id == part.record_id else part.request_id
            segment = self._segments.name(part.segment)
            features = np.asarray(part.scored.rows, _FEATURES).tobytes() if self._keeps_features else None
            width = _FEATURES.itemsize * n_features
            n_outliers = 0
            for number in range(n_rows):
                label, score, confidence, is_recorded, share, is_audited = next(columns)
                n_outliers += label == -1
                self._pace.step()
                if not is_recorded:
                    continue
                predictions.append(
                    {
                        "record_id": part.record_id,
                        "row": part.first_row + number,
                        "request_id": request_id,
                        "answered_at": part.seconds,
                        "model_version": part.version,
                        "segment": segment,
                        "features": None if features is None else features[number * width : (number + 1) * width],
                        "score": score,
                        "is_inlier": label,
                        "confidence": confidence,
                        "recorded_share": share,
                    }
                )
                if is_audited:
                    batch.audits.append(
                        {
                            "record_id": part.record_id,
                            "row": part.first_row + number,
                            "probability": self._choice.audit_share,
                            "position": self._choice.draw_position(),
                            "handed_at": None,
                        }
                    )
            hour = int(part.seconds) // SECONDS_PER_HOUR * SECONDS_PER_HOUR
            batch.count(hour, part.version, segment, n_rows, n_outliers)
        return batch
