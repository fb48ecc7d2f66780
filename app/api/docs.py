"""``/openapi.json`` and ``/docs``: our own document, shown by flasgger with a current Swagger UI.

By itself, flasgger would build a document from docstrings and show it with an old Swagger UI that loads fonts from
other hosts. Here it serves the document of ``app.api.openapi``, and the assets of the package ``flask-swagger-ui``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flasgger import Swagger
from flasgger.base import APIDocsView, APISpecsView
from flask import Blueprint, Flask, current_app

from app.api.openapi import build_openapi
from app.api.operation import HTML_MEDIA_TYPE, Operation, routes_of
from app.model.schema import Features

_ENDPOINT = "openapi"

# Swagger UI only changes with a release of the service.
_ASSETS_MAX_AGE_SECONDS = 3600

_describe_page = Operation(
    summary="This document as a page, on which you can try each route.",
    description="Swagger UI; nothing is loaded from another host.",
    tag="pages",
    media_type=HTML_MEDIA_TYPE,
)
_describe_document = Operation(
    summary="This document.",
    description="OpenAPI 3.1, for the features of the live model.",
    tag="pages",
)


class _OwnDocument(Swagger):  # type: ignore[misc]
    """flasgger, with our document and without its other pages."""

    def __init__(self, app: Flask, live_features: Callable[[], Features | None], max_batch_rows: int) -> None:
        self._live_features, self._max_batch_rows = live_features, max_batch_rows
        config = {
            "specs": [{"endpoint": _ENDPOINT, "route": "/openapi.json", "title": "Isowatch"}],
            "title": "Isowatch",
            "headers": [],
        }
        super().__init__(app, config=config)

    def get_apispecs(self, endpoint: str = _ENDPOINT) -> dict[str, Any]:
        """Return the document for the model that is live now."""
        return build_openapi(routes_of(current_app), self._live_features(), self._max_batch_rows)

    def register_views(self, app: Flask) -> None:
        """Register the page, the document and the assets."""
        # flasgger's page looks up its assets under this blueprint's name.
        blueprint = Blueprint("flasgger", __name__, static_folder=str(_assets_folder()), static_url_path="/docs/assets")
        blueprint.get_send_file_max_age = lambda filename: _ASSETS_MAX_AGE_SECONDS  # type: ignore[method-assign]
        page = APIDocsView.as_view("page", view_args={"config": self.config})
        blueprint.add_url_rule("/docs", view_func=_describe_page(page))
        document = APISpecsView.as_view(_ENDPOINT, loader=self.get_apispecs)
        blueprint.add_url_rule("/openapi.json", view_func=_describe_document(document))
        app.register_blueprint(blueprint)


def register_docs(app: Flask, live_features: Callable[[], Features | None], max_batch_rows: int) -> None:
    """Serve the document and the page that shows it.

    Parameters
    ----------
    app
        The service.
    live_features
        Returns the live model's features, or None while there is no model.
    max_batch_rows
        Maximum number of rows in one request.
    """
    _OwnDocument(app, live_features, max_batch_rows)


def _assets_folder() -> Path:
    """Return the folder of Swagger UI's files without importing the package that holds them."""
    found = find_spec("flask_swagger_ui")
    assert found is not None, "a locked dependency"
    assert found.origin is not None, "a package with files"
    return Path(found.origin).parent / "dist"
