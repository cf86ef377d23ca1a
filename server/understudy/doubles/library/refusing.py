"""Functions of the standard library that take plain values and raise for a mock, whatever it is told; and what they say
(measured on CPython 3.10 to 3.13)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from understudy.doubles.arguments import Arguments
from understudy.doubles.state import Misuse
from understudy.doubles.values import (
    UNKNOWN,
    Environment,
    Literal,
    Mapping_,
    Mock,
    Node,
    Sequence_,
    Value,
    is_known_double,
    kind_of,
)
from understudy.infer.entities import External

if TYPE_CHECKING:
    from understudy.doubles.objects import Objects as Machine


@dataclass(frozen=True, slots=True)
class _Refusal:
    error: str
    """The runtime's message; ``{kind}`` stands for the class of the mock."""
    index: int = 0
    keyword: str = ""
    exception: str = "TypeError"
    taught: re.Pattern[bytes] | None = None
    """Code that teaches the library what to do with objects, doubles among them."""


_NO_JSON = _Refusal(
    "Object of type {kind} is not JSON serializable",
    taught=re.compile(rb"\bJSONEncoder(?:\.default\s*=[^=]|\.default[\"']|\s*,\s*[\"']default\b)"),
)
_NO_STRING = "expected string or bytes-like object"
_NO_PATTERN = "first argument must be string or compiled pattern"
_NO_BUFFER = "object supporting the buffer API required"
_NO_PICKLE = _Refusal(
    "Can't pickle <class 'unittest.mock.{kind}'>: it's not the same object as unittest.mock.{kind}",
    0,
    "obj",
    "PicklingError",
    re.compile(rb"\bcopyreg\b"),
)
_SEARCHING = ("match", "search", "fullmatch", "findall", "finditer", "split")
_HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s")
_REFUSALS: dict[str, _Refusal] = {
    "json.loads": _Refusal("the JSON object must be str, bytes or bytearray, not {kind}", 0, "s"),
    **{f"re.{name}": _Refusal(_NO_STRING, 1, "string") for name in _SEARCHING},
    **{f"re.{name}": _Refusal(_NO_STRING, 2, "string") for name in ("sub", "subn")},
    "re.compile": _Refusal(_NO_PATTERN, 0, "pattern"),
    "decimal.Decimal": _Refusal("conversion from {kind} to Decimal is not supported", 0, "value"),
    "datetime.datetime.fromisoformat": _Refusal("fromisoformat: argument must be str"),
    "datetime.date.fromisoformat": _Refusal("fromisoformat: argument must be str"),
    "datetime.datetime.strptime": _Refusal("strptime() argument 1 must be str, not {kind}"),
    "base64.b64encode": _Refusal("a bytes-like object is required, not '{kind}'", 0, "s"),
    "base64.b64decode": _Refusal(
        "argument should be a bytes-like object or ASCII string, not '{kind}'", 0, "s"
    ),
    **{f"hashlib.{name}": _Refusal(_NO_BUFFER, 0, "string") for name in _HASHES},
    "pickle.dumps": _NO_PICKLE,
    "pickle.dump": _NO_PICKLE,
}
_OWN_WAYS = frozenset({".__reduce__", ".__reduce_ex__"})
_TIMES = ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks")


def call(
    machine: Machine, entity: External, arguments: Arguments, node: Node, env: Environment
) -> Value | None:
    """What a call gives that is refused; None for every other call."""
    if arguments.is_open:
        return None
    if entity.dotted in ("json.dumps", "json.dump"):
        return _dump(machine, entity.dotted, arguments, node, env)
    if entity.dotted == "json.load" and arguments.values and isinstance(arguments.values[0], Mock):
        file = arguments.values[0]
        read = machine.call(machine.attribute(file, "read", node, env), Arguments(), node, env)
        return _refuse(machine, entity.dotted, _REFUSALS["json.loads"], read, node, env)
    if entity.dotted == "datetime.timedelta":
        for index, name in enumerate(_TIMES):
            refusal = _Refusal(f"unsupported type for timedelta {name} component: {{kind}}", index, name)
            refused = _given(machine, entity.dotted, refusal, arguments, node, env)
            if refused is not None:
                return refused
        return None
    known = _REFUSALS.get(entity.dotted)
    return _given(machine, entity.dotted, known, arguments, node, env) if known is not None else None


def join(
    machine: Machine, separator: Literal, arguments: Arguments, node: Node, env: Environment
) -> Value | None:
    """``", ".join([…])``: refused with the first double among the strings."""
    given = arguments.values[0] if len(arguments.values) == 1 else UNKNOWN
    items = given.items if isinstance(given, Sequence_) else None
    for index, item in enumerate(items or ()):
        if not isinstance(item, (Mock, Literal)):
            return None
        wanted = "a bytes-like object" if isinstance(separator.value, bytes) else "str instance"
        refusal = _Refusal(f"sequence item {index}: expected {wanted}, {{kind}} found")
        refused = _refuse(
            machine, f"{kind_of(separator)}.join", refusal, item, arguments.nodes[0] or node, env
        )
        if refused is not None:
            return refused
    return None


def _given(
    machine: Machine, function: str, refusal: _Refusal, arguments: Arguments, node: Node, env: Environment
) -> Value | None:
    value = arguments.get(refusal.index, refusal.keyword)
    where = arguments.node(refusal.index, refusal.keyword)
    return _refuse(machine, function, refusal, value, where or node, env)


def _refuse(
    machine: Machine, function: str, refusal: _Refusal, value: Value | None, node: Node, env: Environment
) -> Value | None:
    if not isinstance(value, Mock) or not _is_bare(value):
        return None
    if refusal is _NO_PICKLE and _OWN_WAYS & value.slots.keys():
        return None
    if refusal.taught is not None and machine.workspace.any_with(refusal.taught):
        return None
    error = refusal.error.replace("{kind}", value.type_name)
    return machine.fail(env, Misuse.NO_VALUE, value, node, error, function, refusal.exception)


def _is_bare(mock: Mock) -> bool:
    """A spec changes what ``isinstance`` says of a mock, and a subclass may be anything."""
    return is_known_double(mock) and mock.spec is None


def _dump(
    machine: Machine, function: str, arguments: Arguments, node: Node, env: Environment
) -> Value | None:
    """``json.dumps``: refused with the first double that it comes to."""
    if arguments.keywords.keys() & {"default", "cls"}:
        return None
    found = _first_mock(arguments.get(0, "obj"), 0)
    return _refuse(machine, function, _NO_JSON, found, arguments.node(0, "obj") or node, env)


def _first_mock(value: Value | None, depth: int) -> Mock | None:
    if isinstance(value, Mock):
        return value
    held: list[Value] = []
    if isinstance(value, Sequence_) and value.kind in ("list", "tuple"):
        held.extend(value.items or ())
    elif isinstance(value, Mapping_) and not value.is_open:
        held.extend(value.held)
    for each in held if depth < 4 else ():
        found = _first_mock(each, depth + 1)
        if found is not None:
            return found
    return None
