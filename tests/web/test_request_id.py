"""Every answer carries the caller's request id, if it is a sane one, else a new one."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.web.request_id import HEADER, register_request_id, request_id


@pytest.fixture
def client() -> FlaskClient:
    """A service that answers with the id which it sees."""
    app = Flask("tiny")
    register_request_id(app)
    app.add_url_rule("/", view_func=request_id)
    return app.test_client()


@pytest.mark.parametrize("given", ["a", "7f3e-1.2_x:9", "x" * 128])
def test_sane_id_is_kept(client: FlaskClient, given: str):
    """A caller finds its own id in the answer and in the log."""
    response = client.get("/", headers={HEADER: given})

    assert response.text == response.headers[HEADER] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", '"quoted"', "ünicode", "line\tbreak"])
def test_other_id_is_replaced(client: FlaskClient, given: str):
    """What could break a log line or a header is not taken over."""
    response = client.get("/", headers={HEADER: given.encode().decode("latin-1")})

    assert response.headers[HEADER] == response.text != given
    assert len(response.text) == 32


def test_ids_differ(client: FlaskClient):
    """Two requests are told apart."""
    assert client.get("/").text != client.get("/").text


def test_answer_to_an_unknown_path_carries_an_id(client: FlaskClient):
    """No answer goes without."""
    assert client.get("/nowhere").headers[HEADER]
