"""A load on the service, made and checked through HTTP alone."""
