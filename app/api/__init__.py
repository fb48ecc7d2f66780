"""The HTTP API: one file per capability, holding the view, its schema and its OpenAPI description."""
