"""Model stores, empty and with three versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.model.store.store import ModelStore
from tests.model.store.made_versions import VERSIONS, publish


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Return a store whose folder does not exist yet."""
    return ModelStore(tmp_path / "models")


@pytest.fixture
def three(store: ModelStore) -> ModelStore:
    """Return a store with three versions, published in this order; the last one is live."""
    for version in VERSIONS:
        publish(store, version)
    return store
