"""Ordinary code around test doubles: loops, branches, exceptions, objects. What is said of it, beside what happens."""
