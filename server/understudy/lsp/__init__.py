"""The Language Server Protocol: one file a feature. Nothing else in the package knows it."""
