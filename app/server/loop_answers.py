"""What the event loop and the application know of each other."""

from __future__ import annotations

from typing import NamedTuple, Protocol

# Why a connection was closed before its request was answered; the values of a metric's label.
MALFORMED, HEAD_TIMEOUT, BODY_TIMEOUT, WRITE_TIMEOUT = "malformed", "head_timeout", "body_timeout", "write_timeout"
EVICTED, ADDRESS_LIMIT = "evicted", "address_limit"
CLOSED_REASONS = (MALFORMED, HEAD_TIMEOUT, BODY_TIMEOUT, WRITE_TIMEOUT, EVICTED, ADDRESS_LIMIT)


class Answer(NamedTuple):
    """A complete answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class FastPath(Protocol):
    """What the application offers to the event loop."""

    def may_answer(self, method: str, path: str, content_length: int) -> bool:
        """Return whether a request may be a usual one, by its head; must be cheap."""
        ...

    def answer(
        self, method: str, path: str, query: str, headers: list[tuple[bytes, bytes]], body: bytes, peer: str
    ) -> Answer | None:
        """Answer a complete request from an address without ever waiting, or return None if Flask has to answer it."""
        ...

    def max_body_bytes(self, path: str) -> int:
        """Return the maximum length of a body that is sent to a path."""
        ...

    def refuse(self, status: int, detail: str) -> Answer:
        """Return the answer to a request that cannot be parsed or takes too long."""
        ...

    def count_closed(self, reason: str) -> None:
        """Count a connection that was closed early, by one of ``CLOSED_REASONS``."""
        ...
