"""Services that are called directly, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.api.service import service_of
from app.settings import Settings
from tests.api.recorded_service import RecordedService, start_recorded_service


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Return a function that builds services without records; their background jobs end with the test."""
    services: list[Flask] = []
    # Not the default address, under which the user of this folder may have records.
    no_database = f"sqlite:///{tmp_path}/no_records/records.db"

    def make(models: Path, **settings: Any) -> Flask:
        services.append(create_app(Settings(model_dir=str(models), database_url=no_database, **settings)))
        return services[-1]

    yield make
    for service in services:
        service_of(service).close()


@pytest.fixture
def service(make_service: Callable[[Path], Flask], credits_models: Path) -> Flask:
    """A service with a model."""
    return make_service(credits_models)


@pytest.fixture
def client(service: Flask) -> FlaskClient:
    """The client of the service."""
    return service.test_client()


@pytest.fixture
def client_without_model(make_service: Callable[[Path], Flask], tmp_path: Path) -> FlaskClient:
    """The client of a service without a model."""
    return make_service(tmp_path / "models").test_client()


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[RecordedService]:
    """A service with an empty database of records."""
    with start_recorded_service(tmp_path) as service:
        yield service
