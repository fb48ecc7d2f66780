"""``/openapi.json`` and ``/docs``: our own document, shown by flasgger with a current Swagger UI.

flasgger would make a document of its own from docstrings and show it with an old Swagger UI that asks other hosts for
fonts. Here it serves the document that ``app.api.openapi`` makes, and the assets of the wheel ``flask-swagger-ui``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flasgger import Swagger
from flasgger.base import APIDocsView, APISpecsView
from flask import Blueprint, Flask

from app.api.openapi import build_openapi
from app.model.schema import Features

_ENDPOINT = "openapi"

# Swagger UI changes with a release of the service, not in between.
_ASSETS_MAX_AGE_SECONDS = 3600


class _OwnDocument(Swagger):  # type: ignore[misc]
    """flasgger, with a document that others make and with none of its other pages."""

    def __init__(self, app: Flask, features_now: Callable[[], Features | None], max_batch_rows: int) -> None:
        self._features_now, self._max_batch_rows = features_now, max_batch_rows
        config = {
            "specs": [{"endpoint": _ENDPOINT, "route": "/openapi.json", "title": "Isowatch"}],
            "title": "Isowatch",
            "headers": [],
        }
        super().__init__(app, config=config)

    def get_apispecs(self, endpoint: str = _ENDPOINT) -> dict[str, Any]:
        """Give the document for the model that is live at this moment."""
        return build_openapi(self._features_now(), self._max_batch_rows)

    def register_views(self, app: Flask) -> None:
        """Register the page, the document and the assets."""
        # flasgger's page looks for its assets under this blueprint's name.
        blueprint = Blueprint("flasgger", __name__, static_folder=str(_assets_folder()), static_url_path="/docs/assets")
        blueprint.get_send_file_max_age = lambda filename: _ASSETS_MAX_AGE_SECONDS  # type: ignore[method-assign]
        page = APIDocsView.as_view("page", view_args={"config": self.config})
        blueprint.add_url_rule("/docs", view_func=page)
        document = APISpecsView.as_view(_ENDPOINT, loader=self.get_apispecs)
        blueprint.add_url_rule("/openapi.json", view_func=document)
        app.register_blueprint(blueprint)


def register_docs(app: Flask, features_now: Callable[[], Features | None], max_batch_rows: int) -> None:
    """Serve the document and the page that shows it.

    Parameters
    ----------
    app
        The service.
    features_now
        Tells what a row of the live model consists of, or None while there is no model.
    max_batch_rows
        Most rows in one request.
    """
    _OwnDocument(app, features_now, max_batch_rows)


def _assets_folder() -> Path:
    """Find Swagger UI's files without running the package that holds them."""
    found = find_spec("flask_swagger_ui")
    assert found is not None, "a locked dependency"
    assert found.origin is not None, "a package with files"
    return Path(found.origin).parent / "dist"
