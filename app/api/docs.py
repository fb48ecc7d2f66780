"""``/openapi.json`` and ``/docs``: our own document, shown by flasgger with a current Swagger UI.

By itself, flasgger would build a document from docstrings and show it with an old Swagger UI that loads fonts from
other hosts. Here its page shows the document of ``app.api.openapi``, with the assets of ``flask-swagger-ui``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app

from app.api.openapi import build_openapi
from app.api.operation import HTML_MEDIA_TYPE, Operation, routes_of
from app.model.schema import Features
from app.web.codecs import answer_json

# Swagger UI only changes with a release of the service.
_ASSETS_MAX_AGE_SECONDS = 3600

_FLASGGER_CONFIG = {"title": "Isowatch", "specs": [{"endpoint": "openapi", "route": "/openapi.json"}]}


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
    # flasgger's page looks up its assets under this blueprint's name.
    docs = Blueprint("flasgger", __name__, static_folder=str(_assets_folder()), static_url_path="/docs/assets")
    docs.get_send_file_max_age = lambda filename: _ASSETS_MAX_AGE_SECONDS  # type: ignore[method-assign]

    @docs.get("/docs")
    @Operation(
        summary="This document as a page, on which you can try each route.",
        description="Swagger UI; nothing is loaded from another host.",
        tag="pages",
        media_type=HTML_MEDIA_TYPE,
    )
    def show_page() -> str:
        # Imported on first use: it takes a quarter of a second, which every start of a worker would pay.
        from flasgger.base import APIDocsView

        page: str = APIDocsView(view_args={"config": _FLASGGER_CONFIG}).get()
        return page

    @docs.get("/openapi.json")
    @Operation(summary="This document.", description="OpenAPI 3.1, for the features of the live model.", tag="pages")
    def openapi() -> Response:
        return answer_json(build_openapi(routes_of(current_app), live_features(), max_batch_rows))

    app.register_blueprint(docs)


def _assets_folder() -> Path:
    """Return the folder of Swagger UI's files without importing the package that holds them."""
    found = find_spec("flask_swagger_ui")
    assert found is not None, "a locked dependency"
    assert found.origin is not None, "a package with files"
    return Path(found.origin).parent / "dist"
