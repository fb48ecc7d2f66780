"""What a worker hands to the recorder about one request, as messages of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from app.errors import UnreadableMessage
from app.model.scoring import ScoredRows

# Larger messages need memory in one piece, which a kernel under pressure may not have.
LARGEST_MESSAGE_BYTES = 65_536

# The time, the number of the first row, and what msgpack writes around every field, rounded up.
_FRAME_BYTES = 64

# A float32 for each feature; score, label and confidence of eight bytes each.
_BYTES_PER_FEATURE, _BYTES_PER_ANSWER = 4, 24


class _Message(msgspec.Struct, array_like=True, gc=False):
    """The fields in their order on the wire; a new one goes to the end, with a default."""

    seconds: float
    request_id: str
    version: str
    first_row: int
    rows: bytes
    scores: bytes
    labels: bytes
    confidences: bytes
    record_id: str = ""
    segment: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Message)


@dataclass(frozen=True)
class PublishedRows:
    """Rows of one request, all of them or a part.

    Parameters
    ----------
    seconds
        When they were scored, in seconds since 1970.
    request_id
        The id of the request.
    version
        Of the model that scored them.
    first_row
        The number in the request of the first of these rows, counted from 0.
    scored
        The rows, and what the model says of them.
    record_id
        The id under which the answer is recorded, unique; empty if it is not to be recorded.
    segment
        What kind of caller asks, in its own words; empty if it does not say.

    Examples
    --------
    >>> scored = ScoredRows(np.zeros((3, 2), np.float32), np.full(3, -0.4), np.ones(3, int), np.full(3, 0.9))
    >>> [(message, n_rows)] = PublishedRows(0.0, "7f3e", "v1", 0, scored).to_messages()
    >>> n_rows, PublishedRows.from_message(message).scored.scores
    (3, array([-0.4, -0.4, -0.4]))
    """

    seconds: float
    request_id: str
    version: str
    first_row: int
    scored: ScoredRows
    record_id: str = ""
    segment: str = ""

    def to_messages(self) -> Iterator[tuple[bytes, int]]:
        """Give one message after the other, each with the number of its rows."""
        scored = self.scored
        n_rows, n_features = scored.rows.shape
        texts = (self.request_id, self.version, self.record_id, self.segment)
        head_bytes = _FRAME_BYTES + sum(len(text.encode()) for text in texts)
        most_rows = (LARGEST_MESSAGE_BYTES - head_bytes) // (_BYTES_PER_FEATURE * n_features + _BYTES_PER_ANSWER)
        for first in range(0, n_rows, most_rows):
            part = slice(first, first + most_rows)
            message = _Message(
                self.seconds,
                self.request_id,
                self.version,
                self.first_row + first,
                scored.rows[part].tobytes(),
                scored.scores[part].tobytes(),
                scored.labels[part].tobytes(),
                scored.confidences[part].tobytes(),
                self.record_id,
                self.segment,
            )
            yield _encoder.encode(message), min(most_rows, n_rows - first)

    @classmethod
    def from_message(cls, message: bytes) -> PublishedRows:
        """Read a message.

        Raises
        ------
        UnreadableMessage
            If it is not one.
        """
        try:
            fields = _decoder.decode(message)
            scores = np.frombuffer(fields.scores, np.float64)
            scored = ScoredRows(
                rows=np.frombuffer(fields.rows, np.float32).reshape(len(scores), -1),
                scores=scores,
                labels=np.frombuffer(fields.labels, np.int64, len(scores)),
                confidences=np.frombuffer(fields.confidences, np.float64, len(scores)),
            )
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            raise UnreadableMessage(f"A message of {len(message)} bytes does not hold scored rows: {error}.") from error
        return cls(
            fields.seconds,
            fields.request_id,
            fields.version,
            fields.first_row,
            scored,
            fields.record_id,
            fields.segment,
        )
