"""Everything that goes into a model bundle."""
