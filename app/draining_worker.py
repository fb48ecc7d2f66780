"""Gunicorn's threaded worker, with an end that callers can tell apart from a hang.

Gunicorn's own worker stops accepting when it is asked to end, but keeps the listening socket open until its last
request is answered. Whoever connects meanwhile is accepted by the kernel and answered by nobody.
"""

from __future__ import annotations

from gunicorn.workers.gthread import ThreadWorker


class DrainingWorker(ThreadWorker):
    """A threaded worker that takes what already waits, refuses whoever comes later, and answers what it has begun."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or end to accept; at the end of the worker's life, close the door."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            taken = -1
            while taken != self.nr_conns:
                taken = self.nr_conns
                self.accept(listener)  # counts the connection, if one waited
            listener.close()
