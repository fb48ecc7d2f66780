"""Draws which rows are recorded, and turns messages from workers into rows of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.db.bulk_insert import Throttle
from app.model.forest import OUTLIER
from app.recorder.alarms import AlarmExplainer, ExplainedAlarms
from app.recorder.protocol import PublishedRows
from app.records.writing import KnownSegments, RecordBatch

# The byte order of the column, on every machine.
_FEATURES = np.dtype("<f4")


@dataclass(frozen=True)
class SampledRows:
    """What was drawn for some rows; every array has the shape ``(n_rows,)``.

    Parameters
    ----------
    are_recorded
        Whether a row is recorded.
    recorded_shares
        The inclusion probability of the row, in (0, 1].
    are_audited
        Whether a row is drawn for labelling; only recorded inliers are.
    """

    are_recorded: NDArray[np.bool_]
    recorded_shares: NDArray[np.float64]
    are_audited: NDArray[np.bool_]


class RowSampler:
    """Draws rows at random; outliers are always recorded.

    One number is drawn for each row and used for both decisions. So every audited inlier is recorded, and both
    probabilities are exact.

    Parameters
    ----------
    share
        Probability, 0 to 1, that an inlier is recorded.
    audit_share
        Probability, 0 to 1, that an inlier is drawn for labelling. At least this share is recorded.
    seed
        Of the random numbers; None for different ones each time.

    Examples
    --------
    >>> sampled = RowSampler(share=0, audit_share=0).sample(np.array([1, -1]))
    >>> sampled.are_recorded.tolist(), sampled.are_audited.tolist()
    ([False, True], [False, False])
    """

    def __init__(self, share: float, audit_share: float, seed: int | None = None) -> None:
        self._inlier_share, self.audit_share = max(share, audit_share), audit_share
        self._random = np.random.default_rng(seed)

    def sample(self, labels: NDArray[np.int64]) -> SampledRows:
        """Draw among rows by their predicted labels, 1 inlier and -1 outlier."""
        drawn = self._random.random(len(labels))
        are_inliers = labels == 1
        shares = np.where(are_inliers, self._inlier_share, 1.0)
        return SampledRows(drawn < shares, shares, are_inliers & (drawn < self.audit_share))

    def draw_position(self) -> float:
        """Draw the position of a row in its queue, which is in random order."""
        return float(self._random.random())


class BatchBuilder:
    """Builds the rows of one transaction.

    Parameters
    ----------
    sampler
        Draws which rows are recorded.
    segments
        Names segments; it has learned those of the rows.
    with_features
        Whether feature values are recorded.
    throttle
        Pauses between small pieces of work.
    alarms
        Explains outliers.
    """

    def __init__(
        self,
        sampler: RowSampler,
        segments: KnownSegments,
        with_features: bool,
        throttle: Throttle,
        alarms: AlarmExplainer,
    ) -> None:
        self._sampler, self._segments, self._with_features = sampler, segments, with_features
        self._throttle, self._alarms = throttle, alarms

    def build(self, parts: Sequence[PublishedRows], explained: ExplainedAlarms) -> RecordBatch:
        """Build the rows. A second call with the same rows samples again.

        Parameters
        ----------
        parts
            The rows.
        explained
            What became of the outliers among them is added.
        """
        labels = np.concatenate([part.scored.labels for part in parts])
        sampled = self._sampler.sample(labels)
        columns = zip(
            labels.tolist(),
            np.concatenate([part.scored.scores for part in parts]).tolist(),
            np.concatenate([part.scored.confidences for part in parts]).tolist(),
            sampled.are_recorded.tolist(),
            sampled.recorded_shares.tolist(),
            sampled.are_audited.tolist(),
            strict=True,
        )
        batch = RecordBatch()
        predictions = batch.predictions
        for part in parts:
            n_rows, n_features = part.scored.rows.shape
            request_id = None if part.request_id == part.record_id else part.request_id
            segment = self._segments.name(part.segment)
            features = np.asarray(part.scored.rows, _FEATURES).tobytes() if self._with_features else None
            width = _FEATURES.itemsize * n_features
            explanations = self._alarms.explain(part, explained) if (part.scored.labels == OUTLIER).any() else {}
            unfamiliar = self._alarms.find_unfamiliar(part) if np.isnan(part.scored.confidences).any() else {}
            n_outliers = 0
            for number in range(n_rows):
                label, score, confidence, is_recorded, share, is_audited = next(columns)
                n_outliers += label == -1
                self._throttle.step()
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
                        "confidence": confidence if confidence == confidence else None,  # NaN: it has none
                        "recorded_share": share,
                        "explanation": explanations.get(number),
                        "unfamiliar": unfamiliar.get(number),
                    }
                )
                # Every alarm may be handed out for labelling.
                if is_audited or label == OUTLIER:
                    batch.audits.append(
                        {
                            "record_id": part.record_id,
                            "row": part.first_row + number,
                            "probability": self._sampler.audit_share if is_audited else 1.0,
                            "position": self._sampler.draw_position(),
                            "handed_at": None,
                            "is_inlier": label,
                            "checked_at": None,
                        }
                    )
            batch.count(part.seconds, part.version, segment, n_rows, n_outliers)
        return batch
