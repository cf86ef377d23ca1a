"""Shared building blocks: models, database access, settings, errors."""
