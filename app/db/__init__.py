"""The database of records, SQLite or PostgreSQL: engine, tables, migrations, bulk inserts."""
