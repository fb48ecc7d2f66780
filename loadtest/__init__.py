"""Load tests: drive the service over HTTP and check every answer."""
