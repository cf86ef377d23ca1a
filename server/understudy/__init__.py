"""Understudy: a language server and checker for test doubles in Python."""

from typing import Final

__version__: Final = "0.1.0"
