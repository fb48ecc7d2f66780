"""Measure the drift detectors: rate of false signals, detection delay and cost."""
