"""The stages of a training, in their order."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """What a training is doing."""

    READING = "reading"
    FITTING = "fitting"
    COMPARING = "comparing"
    EVALUATING = "evaluating"
    CALIBRATING = "calibrating"
    WRITING = "writing"
