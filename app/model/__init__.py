"""The model, without a web framework: features, bundle, compiled forest, and the one that is live."""
