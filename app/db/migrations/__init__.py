"""Migrations of the tables of records, one file per revision in ``versions``."""
