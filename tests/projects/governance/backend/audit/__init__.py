"""The audit trail, kept in a database of its own."""
