"""A worker whose PostgreSQL server goes down reports it, and continues when the server is back."""

from __future__ import annotations

import pytest

from app.api.records_access import RecordsAccess
from app.db.engine import upgrade_database
from app.errors import RecordsBusy
from app.records.feedback import take_labels
from app.records.labels import GivenLabel
from app.settings import Settings
from tests.records.explained import count_rows


def test_server_that_is_down_is_reported_until_it_is_back(postgresql: str, postgresql_server):
    """Whether the connection was open before or not."""
    upgrade_database(postgresql)
    opened, unopened = (RecordsAccess(Settings(database_url=postgresql)) for _ in range(2))
    with opened.use() as engine:
        assert count_rows(engine, "waiting_labels") == 0
    postgresql_server.stop()
    try:
        for access in (opened, unopened):
            with pytest.raises(RecordsBusy), access.use() as engine:
                take_labels(engine, [GivenLabel("early", 0, 1, "", "", 1.0)])
    finally:
        postgresql_server.start()
    with opened.use() as engine:
        take_labels(engine, [GivenLabel("early", 0, 1, "", "", 1.0)])
        assert count_rows(engine, "waiting_labels") == 1
    opened.close()
