"""Names of the first release, kept alive for plugins until they have moved."""

import warnings
from collections.abc import Callable
from typing import Any

from core.enums import status_for_confidence

_RENAMED: dict[str, Callable[..., Any]] = {
    "maturity_for_score": status_for_confidence,
}


def __getattr__(name: str) -> Any:
    try:
        replacement = _RENAMED[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    warnings.warn(f"{name} is deprecated", DeprecationWarning, stacklevel=2)
    return replacement
