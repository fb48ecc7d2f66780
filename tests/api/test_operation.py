"""The declaration on a view limits its body."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, request

from app import create_app
from app.api.service import service_of
from app.settings import Settings

ONE_ROW, MANY_ROWS = 1_000, 20_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Flask]:
    """A service with two different limits."""
    app = create_app(Settings(model_dir=str(tmp_path), max_body_bytes=ONE_ROW, max_batch_body_bytes=MANY_ROWS))
    yield app
    service_of(app).close()


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/prediction", ONE_ROW),
        ("/predictions", MANY_ROWS),
        ("/feedback", MANY_ROWS),
        ("/v2/models/isowatch/infer", MANY_ROWS),
        ("/v2/models/isowatch/versions/1/infer", MANY_ROWS),
        ("/v2/repository/index", ONE_ROW),
        ("/nowhere", ONE_ROW),
    ],
)
def test_body_limit_comes_from_the_declaration(service: Flask, path: str, limit: int):
    """Routes for many rows or labels accept longer bodies; all others have the default limit."""
    with service.test_request_context(path, method="POST"):
        assert request.max_content_length == limit


def test_long_body_is_refused_with_the_limit_of_its_route(service: Flask):
    """The message has the limit that applies."""
    body = b" " * (ONE_ROW + 1)
    answer = service.test_client().post("/v2/repository/index", data=body)
    assert answer.status_code == 200, "this route does not read its body"

    feedback = service.test_client().post("/feedback", data=b" " * (MANY_ROWS + 1), content_type="application/json")
    assert (feedback.status_code, f"{MANY_ROWS} bytes" in feedback.json["detail"]) == (413, True)
