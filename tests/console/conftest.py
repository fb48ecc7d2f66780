"""Services that are called directly, as those of the API's tests."""

from __future__ import annotations

from tests.api.conftest import client, client_without_model, make_service, recorded, service

__all__ = ["client", "client_without_model", "make_service", "recorded", "service"]
