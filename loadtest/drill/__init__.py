"""Proves on a running chain that every alert fires, is told, and ends."""
