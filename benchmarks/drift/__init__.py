"""Whether the drift detectors keep their promise, how soon they find a change, and what they cost."""
