"""Recorded answers, their labels and audits, and the audit trail of models: in SQLite or PostgreSQL."""
