"""The commands of ``python -m app.records``, one a file."""
