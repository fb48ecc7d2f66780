"""Drift detectors that keep a promise about false alarms: pure NumPy, no web framework, no metrics."""
