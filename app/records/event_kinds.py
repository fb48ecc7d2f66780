"""The kinds of events in the audit trail."""

from __future__ import annotations

from app.model.version_changes import PROMOTION, ROLLBACK

REFUSED_BUNDLE, PURGE, FORGET = "refused bundle", "purge", "forget"

EVENTS = (PROMOTION, ROLLBACK, REFUSED_BUNDLE, PURGE, FORGET)
