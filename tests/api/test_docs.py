"""The page that shows the OpenAPI document needs no other host and no inline script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.api.service import service_of
from app.settings import Settings


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    """The client of a service without a model, which the page does not need."""
    app = create_app(Settings(model_dir=str(tmp_path)))
    yield app.test_client()
    service_of(app).close()


def test_all_assets_of_the_page_exist(client: FlaskClient):
    """Scripts, styles and icon are relative URLs of this service."""
    page = client.get("/docs")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert len(named) >= 4
    for address in named:
        assert not address.startswith(("/", "http:", "https:")), f"{address} does not work behind a prefix"
        with client.get("/" + address) as asset:
            assert asset.status_code == 200


def test_page_runs_no_inline_script(client: FlaskClient):
    """The security policy forbids inline scripts."""
    page = client.get("/docs")

    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"<script>|<script [^>]*>[^<]", page.text)


def test_swagger_ui_is_current(client: FlaskClient):
    """The Swagger UI in flasgger is 3.x, with known vulnerabilities."""
    with client.get("/docs/assets/VERSION") as version:
        assert int(version.get_data(as_text=True).split(".")[0].lstrip("v")) >= 5


@pytest.mark.parametrize("path", ["/apidocs/", "/apidocs/index.html", "/oauth2-redirect.html", "/flasgger_static/x"])
def test_other_pages_of_flasgger_are_not_served(client: FlaskClient, path: str):
    """The other pages of flasgger answer 404."""
    assert client.get(path).status_code == 404
