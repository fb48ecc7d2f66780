"""Quality figures from labels, each with a 95 % interval: pure NumPy, no database."""
