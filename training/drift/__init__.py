"""Calibration of the drift detectors, and offline drift analysis."""
