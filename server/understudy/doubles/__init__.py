"""The semantics of :mod:`unittest.mock`: what a double is, and what code that uses it runs into."""
