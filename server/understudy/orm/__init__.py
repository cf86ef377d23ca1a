"""The semantics of SQLAlchemy models, read from facts."""
