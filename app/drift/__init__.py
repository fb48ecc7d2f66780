"""Drift detectors with a bounded rate of false events: pure NumPy, no web framework, no metrics."""
