"""Isowatch: serves an Isolation Forest over HTTP and monitors it.

The entry point is ``gunicorn "app:create_app()"``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Build the service.

    Parameters
    ----------
    settings
        The settings of the service; by default they are read from the environment.

    Raises
    ------
    app.errors.InvalidSetting
        If an environment variable has a value that cannot be used.
    """
    # Imported here, because `import app.settings` must not load Flask and the metrics: Gunicorn's configuration reads
    # the settings before the metrics folder exists.
    try:
        from app.factory import build_service
    except ModuleNotFoundError as error:
        from app.server.missing_package import explain_missing_package

        print(f"isowatch: {explain_missing_package(error)}", file=sys.stderr)
        raise SystemExit(1) from None

    return build_service(settings)
