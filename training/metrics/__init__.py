"""The metrics of a training run."""
