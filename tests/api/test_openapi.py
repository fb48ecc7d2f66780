"""The OpenAPI document is valid, complete and precise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import validate

from app import create_app
from app.api.openapi import TAGS, build_openapi
from app.api.operation import routes_of
from app.api.service import service_of
from app.model.schema import Features
from app.settings import Settings

MAX_ROWS = 10_000
FEATURES = Features(("mean", "sd"), (-1.0, 0.0), (3.0, 2.0))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Flask]:
    """A service without a model."""
    app = create_app(Settings(model_dir=str(tmp_path)))
    yield app
    service_of(app).close()


def document_of(app: Flask, features: Features | None = FEATURES) -> dict[str, Any]:
    """Return the document of a service."""
    return build_openapi(routes_of(app), features, MAX_ROWS)


@pytest.mark.parametrize("features", [FEATURES, None])
def test_document_is_valid(service: Flask, features: Features | None):
    """The document follows the OpenAPI specification, with and without a model."""
    validate(document_of(service, features))


def test_every_route_is_described_and_every_description_is_a_route(service: Flask):
    """A new route without a declaration fails this test."""
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule).rstrip("/") or "/", method.lower())
        for rule in service.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.endpoint.endswith("static")
    }

    paths = document_of(service)["paths"]
    assert routes == {(path, method) for path, operations in paths.items() for method in operations}


def test_every_group_of_routes_has_its_place(service: Flask):
    """The page shows groups in the document's order, and would show unlisted groups last."""
    listed = [tag["name"] for tag in document_of(service)["tags"]]

    assert listed == list(TAGS)
    assert sorted(listed) == sorted({route.operation.tag for route in routes_of(service)})


def test_metric_series_and_document_have_the_same_statuses(service: Flask):
    """For every route, a series exists from the start for each documented status, and for no other."""
    described = {
        (method, path, int(status))
        for path, operations in document_of(service)["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
    }
    counts = service_of(service).metrics.registry.collect()
    series = {
        (
            sample.labels["method"].lower(),
            re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", sample.labels["url_rule"]).rstrip("/") or "/",
            int(sample.labels["status"]),
        )
        for family in counts
        for sample in family.samples
        if sample.name == "flask_http_request_total"
    }

    is_static = re.compile("unmatched|/docs/assets|/static|/console")
    assert {key for key in series if not is_static.match(key[1])} == described
    assert ("post", "/predictions", 406) in series
    assert ("post", "/feedback", 200) not in series


def test_example_row_is_the_middle_of_the_training_ranges(service: Flask):
    """Examples have few enough digits to read."""
    document = document_of(service, Features(("mean", "sd"), (-0.3, -0.1), (66.3, 57.7)))

    row = document["components"]["schemas"]["PredictionRequest"]["properties"]["feature_vector"]
    assert (row["minItems"], row["maxItems"], row["example"]) == (2, 2, [33.0, 28.8])


def test_row_has_the_features_of_the_model(service: Flask):
    """A client generated from the document sends rows of the right length, within float32."""
    row = document_of(service)["components"]["schemas"]["PredictionRequest"]["properties"]["feature_vector"]

    assert (row["minItems"], row["maxItems"]) == (2, 2)
    assert row["items"]["maximum"] == -row["items"]["minimum"] == pytest.approx(3.4e38, rel=0.01)
    assert row["example"] == [1.0, 1.0]
    assert "mean, sd" in row["description"]


def test_every_refusal_has_one_of_two_shapes(service: Flask):
    """A refusal is a problem document, or has the protocol's shape below /v2."""
    for path, operations in document_of(service)["paths"].items():
        shape = "ProtocolError" if path.startswith("/v2") else "Problem"
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status not in ("200", "202", "204"):
                    (schema,) = response["content"].values()
                    assert schema == {"schema": {"$ref": f"#/components/schemas/{shape}"}}


def test_served_document_follows_the_model(service: Flask):
    """Before there is a model, a row may have any length."""
    client = service.test_client()

    assert client.get("/openapi.json").json == document_of(service, None)
