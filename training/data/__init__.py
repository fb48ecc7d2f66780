"""Tables of numbers: reading, validation, summaries and synthetic examples."""
