"""The OpenAPI document is valid, complete and precise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from openapi_spec_validator import validate

from app import create_app
from app.api.openapi import build_openapi
from app.api.service import service_of
from app.model.schema import Features
from app.settings import Settings
from app.web.operations import OPERATIONS
from app.web.protocol_operations import PROTOCOL_OPERATIONS
from app.web.record_operations import RECORD_OPERATIONS

MAX_ROWS = 10_000
FEATURES = Features(("mean", "sd"), (-1.0, 0.0), (3.0, 2.0))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Flask]:
    """A service, for its routes."""
    app = create_app(Settings(model_dir=str(tmp_path)))
    yield app
    service_of(app).close()


@pytest.mark.parametrize("features", [FEATURES, None])
def test_document_is_valid(features: Features | None):
    """With a model and without."""
    validate(build_openapi(features, MAX_ROWS))


def test_every_route_is_described_and_every_description_is_a_route(service: Flask):
    """A new route cannot be forgotten."""
    routes = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule).rstrip("/") or "/", method.lower())
        for rule in service.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.endpoint.endswith("static")
    }

    described = (*OPERATIONS, *RECORD_OPERATIONS, *PROTOCOL_OPERATIONS)
    assert routes == {(operation.path, operation.method) for operation in described}


def test_every_group_of_routes_has_its_place():
    """The page lists groups in the document's order, and those that it does not name behind all others."""
    named = [tag["name"] for tag in build_openapi(FEATURES, MAX_ROWS)["tags"]]

    operations = (*OPERATIONS, *RECORD_OPERATIONS, *PROTOCOL_OPERATIONS)
    assert sorted(named) == sorted({operation.tag for operation in operations})


def test_row_is_that_of_the_model():
    """A client made from the document sends rows of the right length, within float32."""
    row = build_openapi(FEATURES, MAX_ROWS)["components"]["schemas"]["PredictionRequest"]["properties"][
        "feature_vector"
    ]

    assert (row["minItems"], row["maxItems"]) == (2, 2)
    assert row["items"]["maximum"] == -row["items"]["minimum"] == pytest.approx(3.4e38, rel=0.01)
    assert row["example"] == [1.0, 1.0]
    assert "mean, sd" in row["description"]


def test_every_refusal_has_one_of_two_shapes():
    """A problem document, or below /v2 what the protocol sets."""
    for path, operations in build_openapi(FEATURES, MAX_ROWS)["paths"].items():
        shape = "ProtocolError" if path.startswith("/v2") else "Problem"
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status not in ("200", "202"):
                    (schema,) = response["content"].values()
                    assert schema == {"schema": {"$ref": f"#/components/schemas/{shape}"}}


def test_served_document_follows_the_model(service: Flask):
    """Before there is a model, a row may have any length."""
    client = service.test_client()

    assert client.get("/openapi.json").json == build_openapi(None, MAX_ROWS)
