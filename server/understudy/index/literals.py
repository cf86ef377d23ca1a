"""What a pattern cannot do without: a plain search for a few words is many times faster than the pattern."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

if sys.version_info >= (3, 11):
    from re import _constants, _parser  # type: ignore[attr-defined]
else:
    import sre_constants as _constants
    import sre_parse as _parser

_SHORTEST = 3


def needed(pattern: re.Pattern[bytes]) -> tuple[bytes, ...] | None:
    """Whatever the pattern matches contains one of these; None when nothing like that is known."""
    if pattern.flags & re.IGNORECASE:
        return None
    try:
        found = _of(_parser.parse(pattern.pattern, pattern.flags))  # type: ignore[arg-type]
    except (AttributeError, TypeError, ValueError):
        # Another version of Python reads patterns in another way.
        return None
    return tuple(sorted(found)) if found is not None else None


def _of(items: Sequence[Any]) -> set[bytes] | None:
    """Of what stands one after the other: the longest words, or those of the best part."""
    best: set[bytes] | None = None
    run = bytearray()
    for operation, argument in [*items, (None, None)]:
        if operation is _constants.LITERAL:
            run.append(argument)
            continue
        parts = [{bytes(run)} if len(run) >= _SHORTEST else None, _of_part(operation, argument)]
        for part in parts:
            if part is not None and (best is None or _worth(part) > _worth(best)):
                best = part
        run.clear()
    return best


def _of_part(operation: Any, argument: Any) -> set[bytes] | None:
    if operation is _constants.SUBPATTERN:
        _, add, remove, inner = argument
        return None if add or remove else _of(inner)
    if operation in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
        least, _, inner = argument
        return _of(inner) if least > 0 else None
    if operation is _constants.BRANCH:
        found: set[bytes] = set()
        for branch in argument[1]:
            words = _of(branch)
            if words is None:
                return None
            found |= words
        return found
    return None


def _worth(words: set[bytes]) -> tuple[int, int]:
    return (min(map(len, words)), -len(words))
