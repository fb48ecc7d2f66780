"""Whether the intervals of the quality figures hold the truth, where the truth is known."""
