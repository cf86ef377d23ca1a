"""Roots, configuration, module names and files, the interpreter. Knows no rules."""
