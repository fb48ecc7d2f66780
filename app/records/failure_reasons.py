"""Why a database fails, in the few words that are counted. Nothing is imported here: a service may have no database."""

LOCKED, FULL, UNREACHABLE, SCHEMA, OTHER = "locked", "full", "unreachable", "schema", "other"

REASONS = (LOCKED, FULL, UNREACHABLE, SCHEMA, OTHER)
