"""The model, without a web framework: features, bundle, compiled forest, and the live model of a process."""
