"""What records cost: how many rows a second a recorder writes, and how long a row is looked for among millions."""
