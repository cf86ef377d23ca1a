"""Where the CPython versions differ in what a mock does: one table, by version.

Read from ``Lib/unittest/mock.py`` of CPython 3.10.13, 3.11.7, 3.12.1 and 3.13.0, and of 3.14 from the ``mock`` 5.2
backport (made from its development branch) and the pull requests named below. ``tests/oracle`` measures each
property on every interpreter that is installed and compares.

None means that it depends on the patch release (the change was, or may have been, backported in the middle of a
version's life): a rule must not rely on either.

What is the same in all of them is in :mod:`understudy.doubles.shapes`: that names which begin with ``assert``,
``assret``, ``asert``, ``aseert`` or ``assrt`` raise, that ``create_autospec`` and ``patch(autospec=True)`` refuse
a mock, and that a sealed mock has no new children.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Final

FORBIDDEN_WITHOUT_PREFIX: Final = frozenset(
    {"any_call", "called_once", "called_once_with", "called_with", "has_calls", "not_called"}
)
"""Names of assertions without ``assert_`` that raise where :attr:`Behaviour.assertion_names_raise`. Those of awaits
(``awaited_once``) never do, and ``called`` is an attribute."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What differs. The values here are those of CPython 3.10."""

    with_raises_type_error: bool = False
    """``with`` and ``async with`` on what cannot: ``TypeError: 'Mock' object does not support the (asynchronous)
    context manager protocol``; before 3.11 ``AttributeError: __enter__`` or ``__aenter__`` (bpo-12022)."""

    await_names_type_first: bool = False
    """``await`` on what cannot: ``TypeError: 'Mock' object can't be awaited``; before 3.14 ``TypeError: object Mock
    can't be used in 'await' expression`` (gh-114091)."""

    wait_for_awaits: bool = False
    """``asyncio.wait_for(x)`` awaits ``x`` itself, with the message of ``await``; before 3.12 it made a future of it:
    ``An asyncio.Future, a coroutine or an awaitable is required``."""

    patch_target_by_getattr: bool = False
    """A target whose middle part is missing: ``AttributeError`` from the last part that is there
    (``pkgutil.resolve_name``), ``ValueError`` for what is no name; before 3.11 ``ModuleNotFoundError``. A missing
    first part is ``ModuleNotFoundError`` and a missing last one ``AttributeError`` in all versions."""

    assertion_names_raise: bool = False
    """Reading a name of :data:`FORBIDDEN_WITHOUT_PREFIX` raises ``AttributeError`` (not with ``unsafe=True``, and not
    when the spec has the name); before 3.12 it is a child like others, and ``m.called_once()`` passes always."""

    spec_refuses_mock: bool = False
    """``Mock(spec=a_mock)`` raises ``InvalidSpecError``; in 3.10 it is a spec of the mock's class."""

    spec_sees_through_wraps: bool | None = False
    """``spec`` takes a plain wrapper made with ``functools.wraps`` or ``lru_cache`` around an ``async def`` for a
    coroutine function, so its child is an AsyncMock (gh-85934). ``create_autospec`` and ``patch`` do not."""

    spec_reads_properties: bool | None = True
    """``spec=an_instance`` runs the instance's properties (gh-85934)."""

    async_mock_has_signature: bool = False
    """``inspect.signature(AsyncMock())`` is that of any mock, ``(*args, **kwargs)``; in 3.10 it raises
    ``TypeError``."""

    autospec_is_coroutine_function: bool | None = False
    """``inspect.iscoroutinefunction(create_autospec(an_async_def))``; ``asyncio.iscoroutinefunction`` says yes in all
    versions. Wrong arguments raise when the coroutine is awaited, not at the call."""

    autospec_survives_seal: bool = False
    """Methods of ``seal(create_autospec(C, instance=True))`` can be called (gh-91803)."""

    autospec_configures_children: bool | None = False
    """``create_autospec(C, **{"method.return_value": 5})`` reaches the method (gh-90848)."""

    autospec_wraps: bool | None = False
    """``create_autospec(f, wraps=g)`` calls ``g`` (gh-75988)."""

    autospec_dataclass_fields: bool = False
    """``create_autospec(D, instance=True)`` has the fields of a dataclass that have no default (gh-124176). ``spec=D``
    has only those with one, in all versions."""

    wraps_has_no_return_value: bool | None = False
    """``Mock(wraps=f).return_value`` is ``DEFAULT`` until it is set; before, reading it made a child that was returned
    from then on instead of what ``f`` returns."""

    reset_keeps_magic_returns: bool | None = False
    """``MagicMock().reset_mock(return_value=True)`` leaves what ``__str__`` and other magic methods return
    (gh-123934); before, ``str(m)`` raised ``TypeError`` after it."""

    start_twice_raises: bool | None = False
    """``patcher.start()`` of one that is started: ``RuntimeError: Patch is already started`` (gh-104745)."""

    pattern_wants_a_class: bool = False
    """``case X():`` where ``X`` is no class: ``TypeError: called match pattern must be a class``; before 3.12 ``must be
    a type``."""

    threading_mock: bool = False
    """``unittest.mock.ThreadingMock`` exists."""


_3_10: Final = Behaviour()
_3_11: Final = replace(
    _3_10,
    async_mock_has_signature=True,
    with_raises_type_error=True,
    patch_target_by_getattr=True,
    spec_refuses_mock=True,
    spec_sees_through_wraps=None,
    spec_reads_properties=None,
)
_3_12: Final = replace(
    _3_11,
    wait_for_awaits=True,
    assertion_names_raise=True,
    autospec_is_coroutine_function=None,
    autospec_survives_seal=True,
    autospec_configures_children=None,
    autospec_wraps=None,
    wraps_has_no_return_value=None,
    reset_keeps_magic_returns=None,
    start_twice_raises=None,
    pattern_wants_a_class=True,
)
_3_13: Final = replace(
    _3_12,
    spec_sees_through_wraps=True,
    spec_reads_properties=False,
    autospec_is_coroutine_function=True,
    autospec_configures_children=True,
    autospec_wraps=True,
    wraps_has_no_return_value=True,
    reset_keeps_magic_returns=True,
    threading_mock=True,
)
_3_14: Final = replace(
    _3_13, await_names_type_first=True, autospec_dataclass_fields=True, start_twice_raises=True
)
_TABLE: Final = (
    ((3, 10), _3_10),
    ((3, 11), _3_11),
    ((3, 12), _3_12),
    ((3, 13), _3_13),
    ((3, 14), _3_14),
)
_VERSIONS: Final = [version for version, _ in _TABLE]


def behaviour(version: tuple[int, int]) -> Behaviour:
    """What the mocks of a Python version do; an older or newer one than is known counts as the nearest."""
    return _TABLE[max(0, bisect_right(_VERSIONS, version) - 1)][1]


def not_awaitable(type_name: str, version: tuple[int, int]) -> str:
    """The message of the ``TypeError`` that ``await`` raises for an instance of a type."""
    if behaviour(version).await_names_type_first:
        return f"'{type_name}' object can't be awaited"
    return f"object {type_name} can't be used in 'await' expression"


def not_a_context_manager(type_name: str, *, is_async: bool, version: tuple[int, int]) -> tuple[str, str]:
    """The type and the message of what ``with`` or ``async with`` raises for an instance of a type without the
    methods (with neither: 3.14 says more when it has those of the other statement)."""
    if not behaviour(version).with_raises_type_error:
        return "AttributeError", "__aenter__" if is_async else "__enter__"
    protocol = "asynchronous context manager" if is_async else "context manager"
    return "TypeError", f"'{type_name}' object does not support the {protocol} protocol"


def not_a_class_pattern(version: tuple[int, int]) -> str:
    """The message of the ``TypeError`` that ``case X():`` raises where ``X`` is no class."""
    wanted = "class" if behaviour(version).pattern_wants_a_class else "type"
    return f"called match pattern must be a {wanted}"
