"""Fill a database with millions of rows, which are copies of rows that a real service has recorded."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

# Rows per transaction: large enough to be fast, small enough for the write-ahead log to stay small.
_AT_A_TIME = 500_000

# The newest copy is a few seconds old: a recorder still finds its own place after all copies.
_MARGIN_SECONDS = 5

# All columns of the table, with those that differ between copies computed.
_COPY = """
INSERT INTO predictions (record_id, row, request_id, answered_at, model_version, segment, features, score, is_inlier,
                         confidence, recorded_share, explanation, unfamiliar)
SELECT printf('%012x%020x', cast(1000 * answered_at AS INTEGER), number), 0, NULL, answered_at, model_version, segment,
       features, score, is_inlier, confidence, recorded_share, explanation, unfamiliar
FROM (SELECT templates.*, copies.n * :n_templates + templates.place AS number,
             :since + (copies.n * :n_templates + templates.place) * :step AS answered_at
      FROM (WITH RECURSIVE counted(n) AS (VALUES (:first) UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < :end)
            SELECT n FROM counted) AS copies
      CROSS JOIN templates)
ORDER BY number
"""

# As the recorder counts and draws them, and some labels of people: a fifth of the drawn rows that were handed out.
_DERIVED = """
DELETE FROM hourly_counts;
DELETE FROM minute_counts;
DELETE FROM audits;
INSERT INTO hourly_counts
SELECT cast(answered_at / 3600 AS INTEGER) * 3600, model_version, segment, count(*), sum(is_inlier = -1)
FROM predictions GROUP BY 1, 2, 3;
INSERT INTO minute_counts
SELECT cast(answered_at / 60 AS INTEGER) * 60, count(*), sum(is_inlier = -1) FROM predictions GROUP BY 1;
INSERT INTO audits (record_id, row, probability, position, handed_at, is_inlier)
SELECT record_id, row, CASE is_inlier WHEN -1 THEN 1.0 ELSE 0.01 END, abs(random() / 9223372036854775808.0), NULL,
       is_inlier
FROM predictions WHERE is_inlier = -1 OR abs(random() % 100) = 0;
UPDATE audits SET handed_at = :now WHERE position < 0.01;
INSERT INTO audit_rounds (at, is_inlier, reach) VALUES (:now, 1, 0.01), (:now, -1, 0.01);
INSERT INTO labels (record_id, row, is_inlier, source, note, given_at, given_by)
SELECT record_id, row, CASE abs(random() % 10) WHEN 0 THEN -is_inlier ELSE is_inlier END, 'review', '', :now, 'ada'
FROM audits WHERE position < 0.01;
ANALYZE;
"""


def multiply_records(file: Path, n_rows: int, n_days: float) -> int:
    """Replace the recorded rows by copies of them, evenly over some days, and count and draw them as a recorder does.

    Parameters
    ----------
    file
        The SQLite file of a service that has stopped; it has at least one row.
    n_rows
        Rows wanted, at least as many as there are.
    n_days
        From the first copy until now.

    Returns
    -------
    The number of rows: a multiple of those that were recorded.
    """
    with sqlite3.connect(file) as database:
        database.execute("CREATE TEMP TABLE templates AS SELECT row_number() OVER () - 1 AS place, * FROM predictions")
        database.execute("DELETE FROM predictions")
        [[n_templates]] = database.execute("SELECT count(*) FROM templates")
        n_copies = n_rows // n_templates
        now = time.time()
        since = now - n_days * 86_400
        places = {
            "n_templates": n_templates,
            "since": since,
            "step": (now - _MARGIN_SECONDS - since) / (n_copies * n_templates),
        }
        at_a_time = max(1, _AT_A_TIME // n_templates)
        for first in range(0, n_copies, at_a_time):
            database.execute(_COPY, places | {"first": first, "end": min(n_copies, first + at_a_time)})
            database.commit()
        for statement in _DERIVED.strip().split(";\n"):
            database.execute(statement.rstrip(";\n"), {"now": now})
    database.close()
    return int(n_copies * n_templates)
