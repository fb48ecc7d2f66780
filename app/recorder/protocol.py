"""The wire format between workers and the recorder: the scored rows of a request, as messages of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from struct import Struct

import msgspec
import numpy as np

from app.errors import UnreadableMessage
from app.model.scoring import ScoredRow, ScoredRows

# Larger messages need contiguous memory, which a kernel under pressure may not have.
MAX_MESSAGE_BYTES = 65_536

# The timestamp, two numbers of rows, and msgpack's overhead for every field, rounded up.
_FRAME_BYTES = 80

# A float32 for each feature; eight bytes each for score, label and confidence.
_BYTES_PER_FEATURE, _BYTES_PER_RESULT = 4, 24


class _Message(msgspec.Struct, array_like=True, gc=False):
    """The fields in wire order. Add a new one at the end, with a default, so that older workers are understood."""

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
    worker: str = ""
    position: int = 0


# What the recorder sends back: the position up to which a worker's rows are committed or dropped.
ACKNOWLEDGEMENT = Struct("=q")

# What a worker sends before and after rows that it kept: until then, the recorder has not received all rows.
SENDING_AGAIN, SENT_AGAIN = b"\x00", b"\x01"

# The results of one row: float64, int64, float64, as in the arrays of many.
_FLOAT64, _INT64 = Struct("=d"), Struct("=q")

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Message)


def encode_row(
    seconds: float,
    request_id: str,
    version: str,
    scored: ScoredRow,
    record_id: str,
    segment: str,
    worker: str = "",
    position: int = 0,
) -> bytes:
    """Return the message for one row: the same as from ``PublishedRows``, several times faster.

    Examples
    --------
    >>> message = encode_row(0.0, "7f3e", "v1", ScoredRow([0.5, 2.0], -0.4, 1, 0.9), "", "")
    >>> PublishedRows.from_message(message).scored.rows
    array([[0.5, 2. ]], dtype=float32)
    """
    row, score, label, confidence, _ = scored
    message = _Message(
        seconds,
        request_id,
        version,
        0,
        _row_struct(len(row)).pack(*row),
        _FLOAT64.pack(score),
        _INT64.pack(label),
        _FLOAT64.pack(confidence),
        record_id,
        segment,
        worker,
        position,
    )
    return _encoder.encode(message)


@cache
def _row_struct(n_features: int) -> Struct:
    """Return the format of a row of float32."""
    return Struct(f"={n_features}f")


@dataclass(frozen=True)
class PublishedRows:
    """Scored rows of one request, all of them or a part.

    Parameters
    ----------
    seconds
        When they were scored, in seconds since 1970.
    request_id
        The id of the request.
    version
        The version of the model that scored them.
    first_row
        The index of the first of these rows in the request, counted from 0.
    scored
        The rows and the model's results.
    record_id
        The unique id under which the answer is recorded; empty from a worker of an older release.
    segment
        The segment that the caller named; empty if it named none.
    worker
        The worker that sends them and keeps them until they are acknowledged; empty if it does not.
    position
        How many rows that worker sent before these.

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
    worker: str = ""
    position: int = 0

    @property
    def end(self) -> int:
        """How many rows the worker has sent up to the last of these."""
        return self.position + len(self.scored.scores)

    def to_messages(self) -> Iterator[tuple[bytes, int]]:
        """Yield messages, each with the number of its rows."""
        scored = self.scored
        n_rows, n_features = scored.rows.shape
        texts = (self.request_id, self.version, self.record_id, self.segment, self.worker)
        head_bytes = _FRAME_BYTES + sum(len(text.encode()) for text in texts)
        max_rows = (MAX_MESSAGE_BYTES - head_bytes) // (_BYTES_PER_FEATURE * n_features + _BYTES_PER_RESULT)
        for first in range(0, n_rows, max_rows):
            part = slice(first, first + max_rows)
            message = _Message(
                self.seconds,
                self.request_id,
                self.version,
                self.first_row + first,
                scored.rows[part].astype(np.float32, copy=False).tobytes(),
                scored.scores[part].tobytes(),
                scored.labels[part].tobytes(),
                scored.confidences[part].tobytes(),
                self.record_id,
                self.segment,
                self.worker,
                self.position + first,
            )
            yield _encoder.encode(message), min(max_rows, n_rows - first)

    @classmethod
    def from_message(cls, message: bytes) -> PublishedRows:
        """Decode a message.

        Raises
        ------
        UnreadableMessage
            If it does not hold scored rows.
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
            fields.worker,
            fields.position,
        )


def end_positions(parts: Iterable[PublishedRows]) -> dict[str, int]:
    """Return the position that each worker has reached with the last of its rows."""
    return {part.worker: part.end for part in parts if part.worker}
