"""Which plugin of pytest runs coroutines, where nothing but its defaults decides."""

from __future__ import annotations

from understudy.infer.plugins import Plugins, nested_settings, plugins
from understudy.rules.base import Context

_HOOKS = (
    "pytest_collection_modifyitems",
    "pytest_pyfunc_call",
    "pytest_itemcollected",
    "pytest_pycollect_makeitem",
    "pytest_fixture_setup",
)
_RUNNERS = frozenset(
    {"pytest-asyncio", "anyio", "pytest-trio", "pytest-tornasync", "pytest-twisted", "pytest-aiohttp",
     "pytest-tornado", "pytest-asyncio-cooperative", "pytest-async", "pytest-sanic", "pytest-curio",
     "alt-pytest-asyncio", "pytest-asyncio-concurrent"}
)  # fmt: skip
_MODES = ("asyncio_mode", "asyncio-mode")


def by_default(context: Context) -> Plugins | None:
    """The plugins of the environment; None where settings, hooks of conftest files or a plugin other than
    pytest-asyncio and anyio may decide, or where a plugin is missing."""
    return context.once("plugins by default", lambda: _by_default(context))


def _by_default(context: Context) -> Plugins | None:
    found = plugins(context.workspace)
    if not found.certain or found.missing or "anyio_mode" in found.settings:
        return None
    nested = nested_settings(context.workspace, context.path)
    if any(mode in text for mode in _MODES for text in (found.settings, nested)):
        return None
    if (_RUNNERS & found.names) - {"pytest-asyncio", "anyio"} or "pytest_plugins" in context.source:
        return None
    texts = [context.workspace.text(place.path).content for place in context.fixtures.chain(context.module)]
    if any(word in text for text in texts for word in (*_HOOKS, *_MODES, "anyio_backend")):
        return None
    return found
