"""The condition for going live: every file of a bundle is as it was written, and it scores as in training."""

from __future__ import annotations

from pathlib import Path

from app.errors import InvalidBundle
from app.model.bundle import find_problems, read_bundle


def require_sound(folder: Path) -> None:
    """Refuse a bundle that a service would refuse, or of which any other file was changed.

    Parameters
    ----------
    folder
        ``models/<version>``.

    Raises
    ------
    InvalidBundle
        With the first problem that was found.
    """
    if problems := find_problems(folder):
        raise InvalidBundle(problems[0])
    read_bundle(folder)
