"""What strings, numbers and other plain values do: Python itself is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from understudy.doubles.values import MOST_KNOWN, UNKNOWN, Literal, Sequence_, Value

if TYPE_CHECKING:
    from understudy.doubles.arguments import Arguments
    from understudy.doubles.core import Core as Machine

_METHODS = frozenset(
    {
        "capitalize", "casefold", "count", "decode", "encode", "endswith", "find", "hex", "index", "isalnum", "isalpha",
        "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "isupper", "lower", "lstrip", "partition",
        "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split",
        "splitlines", "startswith", "strip", "swapcase", "title", "upper",
    }
)  # fmt: skip
"""Those that give nothing much longer than what they are given."""
_RAISED = (
    "AttributeError", "IndexError", "KeyError", "LookupError", "TypeError", "UnicodeDecodeError", "UnicodeEncodeError",
    "UnicodeError", "ValueError",
)  # fmt: skip
_LONGEST = 1_000
"""Characters, of a text and of what is made of it: programs that work on more are not worth the time."""
_PLAIN = (str, bytes, bool, int, float, type(None))


def call_method(machine: Machine, receiver: Literal, name: str, arguments: Arguments) -> Value:
    """``"text".split(",")``."""
    given = [value.value for value in arguments.values if isinstance(value, Literal)]
    known = len(given) == len(arguments.values) and not arguments.keywords and not arguments.is_open
    text = receiver.value
    texts = [each for each in (text, *given) if isinstance(each, (str, bytes))]
    known = known and all(len(each) <= _LONGEST for each in texts)
    if name == "replace":
        known = known and len(texts) == 3 and (len(texts[0]) + 1) * (len(texts[2]) + 1) <= 10 * _LONGEST
    if not known or name not in _METHODS or not isinstance(text, (str, bytes)):
        machine.may_raise_for(*_RAISED)
        return UNKNOWN
    try:
        return _as_value(getattr(text, name)(*given))
    except (AttributeError, LookupError, MemoryError, OverflowError, TypeError, ValueError):
        machine.may_raise()
        return UNKNOWN


def item(machine: Machine, value: Literal, index: Value) -> Value:
    """``"text"[0]``."""
    if not isinstance(index, Literal):
        machine.may_raise_for(*_RAISED)
        return UNKNOWN
    container: Any = value.value
    try:
        return _as_value(container[index.value])
    except (LookupError, OverflowError, TypeError):
        machine.may_raise()
        return UNKNOWN


def added(left: Value, right: Value) -> Literal | None:
    """``"a" + "b"``; None where one is no text, or where it raises."""
    if not isinstance(left, Literal) or not isinstance(right, Literal):
        return None
    first, second = left.value, right.value
    for kind in (str, bytes):
        if isinstance(first, kind) and isinstance(second, kind):
            both: Any = first
            return Literal(both + second) if len(first) + len(second) <= _LONGEST else None
    return None


def _as_value(made: object) -> Value:
    if isinstance(made, (list, tuple)):
        known = [_as_value(each) for each in made] if len(made) <= MOST_KNOWN else None
        return Sequence_.of(type(made).__name__, known)
    return Literal(made) if isinstance(made, _PLAIN) else UNKNOWN
