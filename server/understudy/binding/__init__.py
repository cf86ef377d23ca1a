"""When names are bound, and who holds copies of what they stand for: what a patch really changes."""
