"""What was answered, what is known of it since, and what happened to the models: in SQLite or PostgreSQL."""
