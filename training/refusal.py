"""How the command line says no: one line on standard error, and an exit status."""

from __future__ import annotations

import signal
import sys

from app.errors import IsowatchError
from training.errors import TrainingError

# What a command refuses with a reason; anything else is a fault of ours and ends with a traceback.
REFUSALS = (TrainingError, IsowatchError)

# What a shell reports of a process that a signal ended: 128 plus the signal's number.
SIGNALLED = 128


def refuse(error: TrainingError | IsowatchError | KeyboardInterrupt) -> int:
    """Say why a command ends, and give its exit status."""
    if isinstance(error, KeyboardInterrupt):
        return say(str(error) or "interrupted; nothing was changed.", SIGNALLED + signal.SIGINT)
    return say(str(error), error.exit_status if isinstance(error, TrainingError) else 1)


def say(reason: str, exit_status: int) -> int:
    """Say a reason in one line, and give back the exit status."""
    print(f"training: {' '.join(reason.split())}", file=sys.stderr)
    return exit_status
