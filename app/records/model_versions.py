"""What the rows of each model version consist of; without it nobody could tell what recorded numbers mean."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from app.records.tables import MODEL_VERSIONS


def note_version(connection: Connection, version: str, name: str, feature_names: Sequence[str]) -> None:
    """Note a version at its first sight; later ones change nothing.

    Parameters
    ----------
    connection
        Of a transaction.
    version, name
        Of the model.
    feature_names
        In the order of a row's numbers.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    noted = insert(MODEL_VERSIONS).values(
        version=version, name=name, feature_names=json.dumps(list(feature_names)), first_seen_at=time.time()
    )
    connection.execute(noted.on_conflict_do_nothing())
