"""Measure records: how many rows per second a recorder writes, and how long finding a row among millions takes."""
