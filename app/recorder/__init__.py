"""The process behind the workers: it receives every scored row, and watches a sample of them for drift."""
