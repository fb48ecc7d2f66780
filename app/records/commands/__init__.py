"""The commands of ``python -m app.records``, one per file."""
