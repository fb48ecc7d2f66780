"""Measure how the recorder affects requests when it is working, stopped, or gone."""
