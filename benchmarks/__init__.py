"""Benchmarks against other servers and of single parts, each with the command that runs it: see ``README.md``."""
