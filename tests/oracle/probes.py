"""What the mocks of the interpreter that runs this really do, as JSON: a value for each property of
:class:`understudy.doubles.versions.Behaviour`.

``python -I probes.py``. Knows nothing but the standard library, so every interpreter can run it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import json
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec, patch, seal

warnings.simplefilter("ignore")


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


class _Thing:
    @_wrapped
    async def wrapped(self) -> None: ...

    @functools.lru_cache  # noqa: B019
    async def cached(self) -> None: ...

    def method(self, number: int) -> int:
        return number


class _WithProperty:
    read = False

    @property
    def value(self) -> int:
        type(self).read = True
        return 1


@dataclasses.dataclass
class _Data:
    field: int
    with_default: int = 0


_NO_CLASS: Any = MagicMock()


async def _coroutine_function(number: int) -> None: ...


def _raised(function: Callable[[], Any]) -> str:
    """``Type: message`` of what a function, or the coroutine that it returns, raises; empty if nothing."""
    try:
        result = function()
        if inspect.iscoroutine(result):
            asyncio.run(result)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _has(double: Any, name: str) -> bool:
    try:
        getattr(double, name)
    except AttributeError:
        return False
    return True


def _one_of(actual: Any, true: Any, false: Any) -> bool:
    """Fails loudly when neither of the two known behaviours is seen."""
    assert actual in (true, false), (actual, true, false)
    return bool(actual == true)


def with_raises_type_error() -> bool:
    async def enter() -> None:
        async with Mock():
            pass

    def enter_plainly() -> None:
        with Mock():
            pass

    new = "TypeError: 'Mock' object does not support the {}context manager protocol"
    plain = _one_of(_raised(enter_plainly), new.format(""), "AttributeError: __enter__")
    asynchronous = _one_of(_raised(enter), new.format("asynchronous "), "AttributeError: __aenter__")
    assert plain == asynchronous
    return plain


_NOT_AWAITABLE = (
    "TypeError: 'Mock' object can't be awaited",
    "TypeError: object Mock can't be used in 'await' expression",
)


def await_names_type_first() -> bool:
    async def wait() -> None:
        await Mock()

    return _one_of(_raised(wait), *_NOT_AWAITABLE)


def wait_for_awaits() -> bool:
    async def wait() -> None:
        await asyncio.wait_for(Mock(), 1)

    said = _raised(wait)
    return _one_of(
        said in _NOT_AWAITABLE or said,
        True,
        "TypeError: An asyncio.Future, a coroutine or an awaitable is required",
    )


def patch_target_by_getattr() -> bool:
    said = _raised(lambda: patch("collections.nope.x").start())
    assert _raised(lambda: patch("collections.nope").start()).startswith("AttributeError")
    assert _raised(lambda: patch("nope_nope.x").start()).startswith("ModuleNotFoundError")
    return _one_of(said.partition(":")[0], "AttributeError", "ModuleNotFoundError")


def assertion_names_raise() -> bool:
    names = ("any_call", "called_once", "called_once_with", "called_with", "has_calls", "not_called")
    kinds = (Mock, MagicMock, AsyncMock)
    found = {not _has(kind(), name) for kind in kinds for name in names}
    assert len(found) == 1
    always = {
        _has(kind(), name) for kind in kinds for name in ("awaited_once", "has_awaits", "any_await", "called")
    }
    assert always == {True}
    never = {
        _has(kind(), name)
        for kind in kinds
        for name in ("assert_nope", "assret_called", "asert_called", "aseert_called", "assrt_called")
    }
    assert never == {False}
    assert _has(Mock(unsafe=True), "called_once")
    assert _has(Mock(spec=["called_once"]), "called_once")
    return found.pop()


def spec_refuses_mock() -> bool:
    assert _raised(lambda: create_autospec(Mock())).startswith("InvalidSpecError")
    return _one_of(_raised(lambda: Mock(spec=Mock())).partition(":")[0], "InvalidSpecError", "")


def spec_sees_through_wraps() -> bool:
    double = Mock(spec=_Thing)
    for name in ("wrapped", "cached"):
        assert not isinstance(getattr(create_autospec(_Thing), name), AsyncMock)
    return _one_of(
        {type(child).__name__ for child in (double.wrapped, double.cached)}, {"AsyncMock"}, {"Mock"}
    )


def spec_reads_properties() -> bool:
    _WithProperty.read = False
    Mock(spec=_WithProperty())
    return _WithProperty.read


def async_mock_has_signature() -> bool:
    assert str(inspect.signature(MagicMock())) == "(*args, **kwargs)"
    raised = _raised(lambda: inspect.signature(AsyncMock()))
    return _one_of(raised, "", "TypeError: 'Mock' object is not subscriptable")


def autospec_is_coroutine_function() -> bool:
    double = create_autospec(_coroutine_function)
    assert asyncio.iscoroutinefunction(double)
    assert inspect.iscoroutinefunction(AsyncMock())
    try:
        coroutine = double()
    except TypeError:
        at_call = True
    else:
        at_call = False
        coroutine.close()
    found = inspect.iscoroutinefunction(double)
    assert found is not at_call
    return found


def autospec_survives_seal() -> bool:
    double = create_autospec(_Thing, instance=True)
    seal(double)
    return _one_of(_raised(lambda: double.method(1)).partition(":")[0], "", "AttributeError")


def autospec_configures_children() -> bool:
    configuration: dict[str, Any] = {"method.return_value": 5}
    double = create_autospec(_Thing, instance=True, **configuration)
    return bool(double.method(1) == 5)


def autospec_wraps() -> bool:
    def wrapped(number: int) -> int:
        return number + 1

    return bool(create_autospec(wrapped, wraps=wrapped)(1) == 2)


def autospec_dataclass_fields() -> bool:
    double = create_autospec(_Data, instance=True)
    assert _has(double, "with_default")
    assert not _has(Mock(spec=_Data), "field")
    assert _has(Mock(spec=_Data(1)), "field")
    return _has(double, "field")


def wraps_has_no_return_value() -> bool:
    return Mock(wraps=len).return_value is mock.DEFAULT


def reset_keeps_magic_returns() -> bool:
    double = MagicMock()
    str(double)
    double.reset_mock(return_value=True)
    return _one_of(_raised(lambda: str(double)).partition(":")[0], "", "TypeError")


def start_twice_raises() -> bool:
    patcher = patch.object(_Thing, "method")
    patcher.start()
    original = patcher.temp_original
    said = _raised(patcher.start)
    _Thing.method = original  # type: ignore[method-assign]
    return _one_of(said, "RuntimeError: Patch is already started", "")


def pattern_wants_a_class() -> bool:
    def match() -> None:
        match 1:
            case _NO_CLASS():
                pass

    wanted = "TypeError: called match pattern must be a {}"
    return _one_of(_raised(match), wanted.format("class"), wanted.format("type"))


def threading_mock() -> bool:
    return hasattr(mock, "ThreadingMock")


PROBES = (
    with_raises_type_error,
    await_names_type_first,
    wait_for_awaits,
    patch_target_by_getattr,
    assertion_names_raise,
    spec_refuses_mock,
    spec_sees_through_wraps,
    spec_reads_properties,
    async_mock_has_signature,
    autospec_is_coroutine_function,
    autospec_survives_seal,
    autospec_configures_children,
    autospec_wraps,
    autospec_dataclass_fields,
    wraps_has_no_return_value,
    reset_keeps_magic_returns,
    start_twice_raises,
    pattern_wants_a_class,
    threading_mock,
)

if __name__ == "__main__":
    print(json.dumps({probe.__name__: probe() for probe in PROBES}))
