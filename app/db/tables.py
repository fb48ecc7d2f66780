"""The tables of records, the same in SQLite and PostgreSQL.

If you change a table, add a migration in ``migrations/versions``.

Times are seconds since 1970; labels are 1 for inlier and -1 for outlier. The key of a row of a request is ``(record_id,
row)`` in all tables. Record ids sort by time, so a time span is one range of the primary key and needs no other index.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

from app.db.ids import RECORD_ID_DIGITS

# The longest request id that a caller may send; see app.web.middleware.
REQUEST_ID_CHARACTERS = 128

# Enough for a country, an app's version or an A/B group; a longer text is not a segment.
SEGMENT_CHARACTERS = 64

# Who labelled a row: a name. Why: a few sentences.
SOURCE_CHARACTERS, NOTE_CHARACTERS = 64, 1000

# The name of an API key's holder; see app.web.key_file.
CALLER_CHARACTERS = 64

# The random name of a worker; see app.recorder.client.
WORKER_DIGITS = 16

# Longer than any version that training names.
_VERSION_CHARACTERS = 64

METADATA = MetaData()


def _record_key() -> list[Column[str] | Column[int]]:
    """Return the primary key of the tables with one line per row of a request."""
    return [
        Column("record_id", String(RECORD_ID_DIGITS), primary_key=True),
        Column("row", Integer, primary_key=True, autoincrement=False),
    ]


PREDICTIONS = Table(
    "predictions",
    METADATA,
    *_record_key(),
    # The caller's id; NULL if the caller sent none, so that most rows need no second index entry.
    Column("request_id", String(REQUEST_ID_CHARACTERS)),
    Column("answered_at", Double, nullable=False),
    Column("model_version", String(_VERSION_CHARACTERS), nullable=False),
    # Empty if the caller named none.
    Column("segment", String(SEGMENT_CHARACTERS), nullable=False),
    # float32 numbers, little-endian, in the order of the model's features; NULL if features are not recorded.
    Column("features", LargeBinary),
    Column("score", Double, nullable=False),
    Column("is_inlier", SmallInteger, nullable=False),
    # NULL for a row with unfamiliar values.
    Column("confidence", Double),
    # The inclusion probability of the row: a sum over rows divides by it.
    Column("recorded_share", Double, nullable=False),
    # Why it is an outlier, as a JSON text; NULL for inliers, and for alarms that could not be explained.
    Column("explanation", Text),
    # Its unfamiliar values, as a JSON text; NULL if it has none.
    Column("unfamiliar", Text),
    sqlite_with_rowid=False,
)
Index(
    "predictions_by_request_id",
    PREDICTIONS.c.request_id,
    PREDICTIONS.c.record_id,  # the first record of an id is then found in the index alone
    sqlite_where=PREDICTIONS.c.request_id.is_not(None),
    postgresql_where=PREDICTIONS.c.request_id.is_not(None),
)

# The list of alarms is read from its end, and alarms are few among all rows.
Index(
    "predictions_that_are_alarms",
    PREDICTIONS.c.record_id,
    PREDICTIONS.c.row,
    sqlite_where=PREDICTIONS.c.is_inlier == -1,
    postgresql_where=PREDICTIONS.c.is_inlier == -1,
)

LABELS = Table(
    "labels",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("record_id", String(RECORD_ID_DIGITS), nullable=False),
    Column("row", Integer, nullable=False),
    Column("is_inlier", SmallInteger, nullable=False),
    Column("source", String(SOURCE_CHARACTERS), nullable=False),
    Column("note", String(NOTE_CHARACTERS), nullable=False),
    Column("given_at", Double, nullable=False),
    # NULL for the current label; a label that was replaced stays as history.
    Column("replaced_at", Double),
    # The name of the caller's API key; NULL if it had none.
    Column("given_by", String(CALLER_CHARACTERS)),
)
Index(
    "labels_that_count",
    LABELS.c.record_id,
    LABELS.c.row,
    unique=True,
    sqlite_where=LABELS.c.replaced_at.is_(None),
    postgresql_where=LABELS.c.replaced_at.is_(None),
)
Index("labels_by_record", LABELS.c.record_id, LABELS.c.row)

# What people say about a row without labelling it; the newest counts.
NOTES = Table(
    "notes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("record_id", String(RECORD_ID_DIGITS), nullable=False),
    Column("row", Integer, nullable=False),
    # 1 if somebody looked at the row and cannot tell.
    Column("is_unsure", SmallInteger, nullable=False),
    Column("note", String(NOTE_CHARACTERS), nullable=False),
    Column("given_at", Double, nullable=False),
    # The name of the caller's API key; NULL if it had none.
    Column("given_by", String(CALLER_CHARACTERS)),
)
Index("notes_by_record", NOTES.c.record_id, NOTES.c.row)

PENDING_LABELS = Table(
    "waiting_labels",
    METADATA,
    Column("id", Integer, primary_key=True),
    # As the caller sent it: a request id or a record id.
    Column("request_id", String(REQUEST_ID_CHARACTERS), nullable=False, index=True),
    Column("row", Integer, nullable=False),
    Column("is_inlier", SmallInteger, nullable=False),
    Column("source", String(SOURCE_CHARACTERS), nullable=False),
    Column("note", String(NOTE_CHARACTERS), nullable=False),
    Column("given_at", Double, nullable=False),
    Column("given_by", String(CALLER_CHARACTERS)),
)

# Rows that were drawn for labelling: a share of the inliers, and all alarms.
AUDITS = Table(
    "audits",
    METADATA,
    *_record_key(),
    Column("probability", Double, nullable=False),
    # Uniform in [0, 1); rows are handed out in this order, so that those handed out so far are a random sample of all.
    Column("position", Double, nullable=False),
    # NULL until handed out.
    Column("handed_at", Double),
    # The predicted label: each has a queue of its own.
    Column("is_inlier", SmallInteger, nullable=False, server_default="1"),
    # When it was handed out to a second person, after it was labelled; NULL until then.
    Column("checked_at", Double),
    sqlite_with_rowid=False,
)
Index("audits_in_order", AUDITS.c.is_inlier, AUDITS.c.position)
# Far fewer rows are handed out than drawn, and quality is estimated from these only.
Index(
    "audits_handed_out",
    AUDITS.c.record_id,
    AUDITS.c.row,
    sqlite_where=AUDITS.c.handed_at.is_not(None),
    postgresql_where=AUDITS.c.handed_at.is_not(None),
)

# How far each hand-out came in the random order of a queue: so the probability that a row was reached is known.
AUDIT_ROUNDS = Table(
    "audit_rounds",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("is_inlier", SmallInteger, nullable=False),
    # The first position that was not reached; 1 if the queue was empty afterwards.
    Column("reach", Double, nullable=False),
)

# Counts of all rows, recorded or not: so denominators are exact, and outlive the records.
HOURLY_COUNTS = Table(
    "hourly_counts",
    METADATA,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # its start
    Column("model_version", String(_VERSION_CHARACTERS), primary_key=True),
    Column("segment", String(SEGMENT_CHARACTERS), primary_key=True),
    Column("n_rows", BigInteger, nullable=False),
    Column("n_outliers", BigInteger, nullable=False),
)

# The same by the minute, for charts of hours and days; retention deletes old minutes.
MINUTE_COUNTS = Table(
    "minute_counts",
    METADATA,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),  # its start
    Column("n_rows", BigInteger, nullable=False),
    Column("n_outliers", BigInteger, nullable=False),
)

SEGMENTS = Table(
    "segments",
    METADATA,
    Column("name", String(SEGMENT_CHARACTERS), primary_key=True),
    Column("first_seen_at", Double, nullable=False),
)

MODEL_VERSIONS = Table(
    "model_versions",
    METADATA,
    Column("version", String(_VERSION_CHARACTERS), primary_key=True),
    Column("name", Text, nullable=False),
    Column("feature_names", Text, nullable=False),  # a JSON list
    Column("first_seen_at", Double, nullable=False),
)

# The audit trail: append-only, never purged.
EVENTS = Table(
    "events",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", String(32), nullable=False),  # one of app.records.events
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("note", Text, nullable=False),
    # Several recorders may report the same promotion.
    Index("events_once", "at", "what", "before", "after", unique=True),
)

# The progress of each recorder that ever wrote here.
WRITERS = Table(
    "writers",
    METADATA,
    Column("replica", Text, primary_key=True),
    # All rows that its workers sent before this time are committed or dropped.
    Column("written_until", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    # NULL while it runs.
    Column("stopped_at", Double),
)

# One row: the time by which retention measures ages; see app.records.retention_clock.
RETENTION_CLOCK = Table(
    "retention_clock",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("reached", Double, nullable=False),
)

# How many rows of each worker are done, so that what it sends again to a new recorder is not recorded again.
DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("worker", String(WORKER_DIGITS), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("updated_at", Double, nullable=False),
)
