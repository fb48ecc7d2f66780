"""Keeps Alembic's log lines about itself out of the service's log, which says itself what was done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from logging import WARNING, getLogger


@contextmanager
def quiet_alembic() -> Iterator[None]:
    """Let Alembic log warnings only, also while it is imported, when it names each of its plugins."""
    logger = getLogger("alembic")
    level = logger.level
    logger.setLevel(WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
