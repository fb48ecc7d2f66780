"""What goes wrong with the database of records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from loadtest.drill.causes import Cause
from loadtest.drill.causes_by_traffic import USUAL_PER_SECOND, usual_requests
from loadtest.drill.chain import Chain
from loadtest.drill.traffic import traffic

# A recorder has the database for the milliseconds of a batch only.
_WAIT_SECONDS = 10


@contextmanager
def locked_records(chain: Chain) -> Iterator[None]:
    """Hold the database of a replica that is asked, as a tool does that somebody left open in a transaction."""
    replica = chain.replicas["recording"]
    # Without a level of isolation, Python begins and ends no transaction of its own.
    with closing(sqlite3.connect(replica.records, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        try:
            with traffic(replica.address, USUAL_PER_SECOND, usual_requests()):
                yield
        finally:
            connection.execute("ROLLBACK")


LOCKED_RECORDS = Cause("the records are locked", ("RecordsNotWritten",), locked_records)
