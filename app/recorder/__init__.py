"""The process behind the workers: it receives every scored row, records it, and watches a sample for drift."""
