"""One client's connection: Gunicorn's HTTP protocol, with deadlines, caps, and answers in the event loop.

Each state has a deadline, which the worker checks once a second:

===========  ==============================================  ===========================
state        deadline                                        what happens then
===========  ==============================================  ===========================
new          ``HEAD_TIMEOUT``                                closed
head         ``HEAD_TIMEOUT`` after its first byte           408, closed
body         ``BODY_TIMEOUT``; bytes that arrive extend it   408, closed
answering    none: the service is at work
idle         ``KEEPALIVE``                                   closed
lingering    two seconds after a refusal                     closed
===========  ==============================================  ===========================

In each state, a client that reads nothing of its answer for ``WRITE_TIMEOUT`` is disconnected.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any

from gunicorn.asgi.protocol import ASGIProtocol

from app.server.framing import check_framing, path_below, serialize_last
from app.server.loop_answers import BODY_TIMEOUT, EVICTED, HEAD_TIMEOUT, MALFORMED, WRITE_TIMEOUT, Answer

if TYPE_CHECKING:
    from app.server.worker import FrontWorker

# What is unread is discarded for this long: a reset would make the client lose the answer.
_LINGER_SECONDS = 2.0

_State = Enum("_State", ["NEW", "HEAD", "BODY", "ANSWERING", "IDLE", "LINGERING"])


class Connection(ASGIProtocol):  # type: ignore[misc]
    """One client's connection, which ``worker`` has accepted."""

    _request_ready: Any
    _callback_parser: Any
    _current_request: Any
    _body_receiver: Any

    def __init__(self, worker: FrontWorker) -> None:
        super().__init__(worker)
        self._settings = worker.settings
        self._fast_path = worker.fast_path
        self._state = _State.NEW
        self.deadline, self.address = inf, ""
        # Whether the request that is being received is one for the fast path.
        self._is_usual = False
        self._answer_started = self._is_refused = self._is_half_closed = False
        self._unsent_bytes, self._progress_at = 0, 0.0

    # What the transport reports.

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Accept a connection, unless there are too many."""
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self._enter(_State.NEW, self._settings.head_timeout)
        if reason := self.worker.refuses(self):
            self._fast_path.count_closed(reason)
            self._conn_lost_handled = True  # Gunicorn has not counted it
            transport.abort()
            return
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Receive bytes."""
        if self._state is _State.LINGERING:
            return
        if self.reader is not None:  # HTTP/2, whose frames Gunicorn handles
            self._enter(_State.IDLE, self._settings.keepalive)
        elif self._state is _State.BODY:
            self.deadline += len(data) / self._settings.min_body_bytes_per_second
        elif self._state is _State.IDLE or self._state is _State.NEW:
            self._enter(_State.HEAD, self._settings.head_timeout)
        super().data_received(data)

    def eof_received(self) -> bool:
        """Return whether to keep the connection: its client has sent a complete request and waits for the answer."""
        self._is_half_closed = True
        return self._state is _State.ANSWERING and not self._is_ssl

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and end the task that serves it."""
        self.worker.forget(self)
        super().connection_lost(exc)
        if self._request_ready is not None:  # it was admitted
            self._request_ready.set()

    # What the worker asks for.

    @property
    def unsent_bytes(self) -> int:
        """The bytes of answers that the client has not read yet."""
        return int(self.transport.get_write_buffer_size())

    def check_deadlines(self, now: float) -> None:
        """End the connection if it is past a deadline; ``now`` is the loop's time."""
        unsent = self.unsent_bytes
        if unsent:
            if not self._unsent_bytes or unsent < self._unsent_bytes:
                self._progress_at = now
            self._unsent_bytes = unsent
            if now - self._progress_at >= self._settings.write_timeout:
                self._fast_path.count_closed(WRITE_TIMEOUT)
                self.abort()
            return
        self._unsent_bytes = 0
        if now >= self.deadline:
            self._expire()

    def close_if_idle(self) -> None:
        """Close the connection if its last request was answered and no other has begun."""
        if self._state is _State.IDLE and not self._h2_tasks:
            self._close_now()

    def evict(self) -> None:
        """Disconnect the client to make room for another."""
        self._fast_path.count_closed(EVICTED)
        self.abort()

    def abort(self) -> None:
        """Disconnect the client, whatever is unsent."""
        self._closed = True
        self.worker.forget(self)  # at once, because connection_lost is called later
        self.transport.abort()

    # What Gunicorn's protocol calls.

    async def _handle_connection(self) -> None:
        """Serve the connection, in a task, until it is closed."""
        try:
            await super()._handle_connection()
        finally:
            # Both refer to the connection. Garbage collection of thousands of them would take tenths of a second.
            self._callback_parser = self._body_receiver = None

    def _on_headers_complete(self) -> bool:
        """Begin a request. If it may be a usual one, the task that serves all others is not woken."""
        ready, self._request_ready = self._request_ready, None
        try:
            super()._on_headers_complete()
        finally:
            self._request_ready = ready
        request = self._current_request
        check_framing(request)
        self._enter(_State.BODY, self._settings.body_timeout)
        self._resume_reading()
        path = path_below(self.worker.prefix, request.path)
        self._is_usual = (
            path is not None
            and not request.chunked
            and not self._body_receiver.expect_continue
            and not self._flow_control.write_paused
            and self._fast_path.may_answer(request.method, path, request.content_length)
        )
        if not self._is_usual and self._h2c_upgrade_settings is None:
            ready.set()
        return False  # true would make the parser skip the body

    def _on_message_complete(self) -> None:
        """Begin to answer: from here on, it is the service that takes its time."""
        self._enter(_State.ANSWERING, inf)
        super()._on_message_complete()
        if not self._is_usual and self._h2c_upgrade_settings is None:
            self._pause_reading()

    def _resume_reading(self) -> None:
        """Read on, but not the next request before this one is answered: Gunicorn keeps no more than 64 KB of it."""
        if self._state is not _State.ANSWERING:
            super()._resume_reading()

    def _feed_callback_parser(self, data: bytes) -> bool:
        """Parse bytes and answer the usual requests among them; return whether the connection stays open."""
        is_open: bool = super()._feed_callback_parser(data)
        while is_open and self._is_usual and self._state is _State.ANSWERING:
            self._is_usual = False
            request, body = self._current_request, b"".join(self._body_receiver._chunks)
            path = request.path[len(self.worker.prefix) :]
            answer = self._fast_path.answer(
                request.method, path, request.query, request.headers_bytes, body, self.address
            )
            if answer is None:
                self._request_ready.set()
                self._pause_reading()
                break
            is_open = self._finish(request, answer)
        return is_open

    def _finish(self, request: Any, answer: Answer) -> bool:
        """Send an answer and prepare for the next request; return whether the connection stays open."""
        must_close = self._will_close(request, False) or self._callback_parser.remaining_truncated
        self._send_response_start(answer.status, answer.headers, request, must_close)
        self._send_body(answer.body)
        self.worker.nr += 1
        if self.worker.nr >= self.worker.max_requests:
            self.worker.alive = False
        if must_close:
            self._close_now()
            return False
        pipelined = self._callback_parser.remaining()
        self._callback_parser.reset()
        self._current_request = self._body_receiver = None
        if not pipelined:
            self._arm_keepalive_timer()
        elif not self._closed:
            self._answer_started = False
            self._enter(_State.HEAD, self._settings.head_timeout)
            return bool(super()._feed_callback_parser(pipelined))
        return not self._closed

    def _arm_keepalive_timer(self) -> None:
        """Wait for the next request; Gunicorn calls this after an answer."""
        if self._closed or self._state is not _State.ANSWERING:
            return
        self._answer_started = False
        self._enter(_State.IDLE, self._settings.keepalive)
        self._resume_reading()
        if self._is_half_closed and not self._callback_parser.remaining():
            self._close_now()

    def _cancel_keepalive_timer(self) -> None:
        """Do nothing: the deadline of a state ends with it."""

    def _send_response_start(self, status: int, headers: Any, request: Any, close: bool = False) -> None:
        """Begin an answer; clients of HTTP/1.0 expect to be told that the connection stays open."""
        self._answer_started = True
        close = close or self._state is _State.BODY  # nothing that follows can be the next request
        if not close and request.version < (1, 1):
            headers = [*headers, (b"Connection", b"keep-alive")]
        super()._send_response_start(status, headers, request, close)

    def pause_writing(self) -> None:
        """Report a client that reads more slowly than its answer is made."""
        super().pause_writing()
        self.worker.limit_unsent(self)

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """Refuse what cannot be parsed, in the form of all other refusals."""
        if self._closed or self._answer_started:
            return
        self._is_refused = True
        if status >= 500 and status != 501:
            super()._send_error_response(status, message, extra_headers)
            return
        if status != 408:
            self._fast_path.count_closed(MALFORMED)
        self._safe_write(serialize_last(self._fast_path.refuse(status, message)))

    def _close_transport(self) -> None:
        """Close the connection after what is unsent; read and discard what is unread or may still arrive."""
        if self._closed or self.transport is None:
            return
        self._closed = True
        with suppress(OSError, RuntimeError):  # the client is faster
            can_write_eof = self.transport.can_write_eof()  # not with TLS
            if self._is_refused or self._state is _State.BODY or (self._reading_paused and can_write_eof):
                self._enter(_State.LINGERING, _LINGER_SECONDS)
                if can_write_eof:
                    self.transport.write_eof()
                self._resume_reading()
            else:
                self.transport.close()

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """Treat an upgrade to WebSocket as the plain request that it also is: no route has one."""
        return False

    def _enter(self, state: _State, seconds: float) -> None:
        """Enter a state with a deadline."""
        self._state = state
        self.deadline = self.worker.loop.time() + seconds

    def _expire(self) -> None:
        """End the connection, whose deadline has passed."""
        if self._closed:
            self.abort()
            return
        if self._state is _State.HEAD or self._state is _State.BODY:
            is_head, settings = self._state is _State.HEAD, self._settings
            self._fast_path.count_closed(HEAD_TIMEOUT if is_head else BODY_TIMEOUT)
            part, seconds = ("head", settings.head_timeout) if is_head else ("body", settings.body_timeout)
            self._send_error_response(408, f"The {part} did not arrive within {seconds} s.")
        self._close_now()

    def _close_now(self) -> None:
        """Close the connection and end the task that serves it."""
        self._close_transport()
        if self._body_receiver is not None:
            self._body_receiver.signal_disconnect()
        if self._request_ready is not None:
            self._request_ready.set()
