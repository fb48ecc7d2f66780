"""The databases of the tests of records, for the tests of app.db."""

from tests.records.conftest import (  # noqa: F401 - fixtures are found by their names
    address,
    bare_database,
    empty_address,
    made_database,
    opened,
    postgresql,
    postgresql_server,
    read,
    sqlite,
    start_writer,
)
