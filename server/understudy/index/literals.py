"""What a pattern cannot do without: a plain search for a few words is many times faster than the pattern."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

if sys.version_info >= (3, 11):
    from re import _constants, _parser  # type: ignore[attr-defined]
else:
    import sre_constants as _constants
    import sre_parse as _parser

_SHORTEST = 3
_MOST_GROUPS = 3


def needed(pattern: re.Pattern[bytes]) -> tuple[tuple[bytes, ...], ...]:
    """Whatever the pattern matches contains one of the words of each group; the most telling group comes first. No
    group where nothing like that is known."""
    if pattern.flags & re.IGNORECASE:
        return ()
    try:
        found = _of(_parser.parse(pattern.pattern, pattern.flags))  # type: ignore[arg-type]
    except (AttributeError, TypeError, ValueError):
        # Another version of Python reads patterns in another way.
        return ()
    return tuple(tuple(sorted(words)) for words in _best(found))


def _of(items: Sequence[Any]) -> list[frozenset[bytes]]:
    """Of what stands one after the other: the groups of all parts."""
    groups: list[frozenset[bytes]] = []
    run = bytearray()
    for operation, argument in [*items, (None, None)]:
        if operation is _constants.LITERAL:
            run.append(argument)
            continue
        if len(run) >= _SHORTEST:
            groups.append(frozenset({bytes(run)}))
        run.clear()
        groups.extend(_of_part(operation, argument))
    return groups


def _of_part(operation: Any, argument: Any) -> list[frozenset[bytes]]:
    if operation is _constants.SUBPATTERN:
        _, add, remove, inner = argument
        return [] if add or remove else _of(inner)
    if operation in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
        least, _, inner = argument
        return _of(inner) if least > 0 else []
    if operation is _constants.BRANCH:
        # One of the branches matches, so one of its words is there, whichever of its groups is taken.
        branches = [_best(_of(branch)) for branch in argument[1]]
        if prod(map(len, branches)) > _MOST_GROUPS:
            branches = [groups[:1] for groups in branches]
        return [frozenset().union(*groups) for groups in product(*branches)]
    return []


def _best(groups: list[frozenset[bytes]]) -> list[frozenset[bytes]]:
    return sorted(dict.fromkeys(groups), key=_worth, reverse=True)[:_MOST_GROUPS]


def _worth(words: frozenset[bytes]) -> tuple[int, int]:
    return (min(map(len, words)), -len(words))
