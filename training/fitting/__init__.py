"""From a data set to a fitted and compiled forest."""
