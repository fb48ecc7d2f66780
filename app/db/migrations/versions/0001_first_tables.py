"""The first tables of records.

A migration is history: it states in full what it created, and does not change with ``app.db.tables``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    _make_records()
    _make_labels()
    _make_counts()
    _make_trail()


def _make_records() -> None:
    """Create the tables about answers."""
    op.create_table(
        "predictions",
        sa.Column("record_id", sa.String(32), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("answered_at", sa.Double(), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("segment", sa.String(64), nullable=False),
        sa.Column("features", sa.LargeBinary()),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("is_inlier", sa.SmallInteger(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("recorded_share", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "row"),
        sqlite_with_rowid=False,
    )
    with_request_id = sa.text("request_id IS NOT NULL")
    op.create_index(
        "predictions_by_request_id",
        "predictions",
        ["request_id", "record_id"],
        sqlite_where=with_request_id,
        postgresql_where=with_request_id,
    )
    op.create_table(
        "audits",
        sa.Column("record_id", sa.String(32), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("position", sa.Double(), nullable=False),
        sa.Column("handed_at", sa.Double()),
        sa.PrimaryKeyConstraint("record_id", "row"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audits_position", "audits", ["position"])
    op.create_index(
        "audits_handed_out",
        "audits",
        ["record_id", "row"],
        sqlite_where=sa.text("handed_at IS NOT NULL"),
        postgresql_where=sa.text("handed_at IS NOT NULL"),
    )


def _make_labels() -> None:
    """Create the tables for labels."""
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.String(32), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("is_inlier", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("note", sa.String(1000), nullable=False),
        sa.Column("given_at", sa.Double(), nullable=False),
        sa.Column("replaced_at", sa.Double()),
        sa.PrimaryKeyConstraint("id"),
    )
    counts = sa.text("replaced_at IS NULL")
    op.create_index(
        "labels_that_count",
        "labels",
        ["record_id", "row"],
        unique=True,
        sqlite_where=counts,
        postgresql_where=counts,
    )
    op.create_index("labels_by_record", "labels", ["record_id", "row"])
    op.create_table(
        "waiting_labels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("is_inlier", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("note", sa.String(1000), nullable=False),
        sa.Column("given_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_waiting_labels_request_id", "waiting_labels", ["request_id"])


def _make_counts() -> None:
    """Create the tables for counts, segments and model versions."""
    op.create_table(
        "hourly_counts",
        sa.Column("hour", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("segment", sa.String(64), nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("n_outliers", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "model_version", "segment"),
    )
    op.create_table(
        "segments",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("first_seen_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "model_versions",
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("feature_names", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )


def _make_trail() -> None:
    """Create the tables for the audit trail and the progress of recorders."""
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("events_once", "events", ["at", "what", "before", "after"], unique=True)
    op.create_table(
        "writers",
        sa.Column("replica", sa.Text(), nullable=False),
        sa.Column("written_until", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("stopped_at", sa.Double()),
        sa.PrimaryKeyConstraint("replica"),
    )
