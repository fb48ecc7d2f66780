"""How the processes behind the workers learn that the service has ended: a pipe from the arbiter comes to its end.

The arbiter holds the only end that could be written to and never writes, so the kernel ends the pipe when the arbiter
ends, even if it was killed. Both the supervisor and the recorder have the other end as their standard input.
"""

from __future__ import annotations

import signal

# Sent to all processes of a terminal or of a systemd unit when only the arbiter is meant to act.
_MEANT_FOR_THE_ARBITER = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def leave_ending_to_the_arbiter() -> None:
    """Ignore the signals that the arbiter answers: workers still finish requests, whose rows are to be recorded."""
    for number in _MEANT_FOR_THE_ARBITER:
        signal.signal(number, signal.SIG_IGN)
