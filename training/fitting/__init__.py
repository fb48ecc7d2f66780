"""Fit, compile and evaluate a forest."""
