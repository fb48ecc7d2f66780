"""A service with a database of records, for one test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from sqlalchemy import Engine

from app import create_app
from app.api.service import service_of
from app.db.engine import open_database, upgrade_database
from app.settings import Settings


@dataclass(frozen=True)
class RecordedService:
    """A service without a model, and its database."""

    app: Flask
    engine: Engine

    @property
    def client(self) -> FlaskClient:
        """A client on this host."""
        return self.app.test_client()

    def value(self, name: str, **labels: str) -> float:
        """Return the value of a metric."""
        value = service_of(self.app).metrics.registry.get_sample_value(name, labels)
        assert value is not None, f"{name}{labels} does not exist"
        return value

    def check(self, answer: Any, schema: str) -> None:
        """Check an answer against the OpenAPI document."""
        document = self.client.get("/openapi.json").json
        Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": document["components"]}).validate(
            answer
        )


@contextmanager
def start_recorded_service(folder: Path, **settings: Any) -> Iterator[RecordedService]:
    """Create a database and a service that uses it."""
    address = f"sqlite:///{folder}/records.db"
    upgrade_database(address)
    settings = {
        "model_dir": str(folder / "models"),
        "state_dir": str(folder / "state"),
        "database_url": address,
    } | settings
    app = create_app(Settings(**settings))
    engine = open_database(address)
    yield RecordedService(app, engine)
    engine.dispose()
    service_of(app).close()
