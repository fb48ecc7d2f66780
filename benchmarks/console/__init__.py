"""Measure the console among millions of recorded rows: its routes, what its pages transfer, and when they are drawn."""
