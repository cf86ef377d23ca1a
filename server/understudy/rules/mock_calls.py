"""The calls of a file that make mocks or patches, and what they are given by keyword."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from understudy.doubles.library.mock import mock_name
from understudy.doubles.shapes import CONSTRUCTORS
from understudy.infer.entities import External
from understudy.infer.scopes import Site
from understudy.rules.base import Context
from understudy.rules.keywords import Given, Keywords, keywords
from understudy.rules.patch_calls import MOCKERS, is_parameter
from understudy.source.dotted import dotted_name

CONFIGURATION = frozenset(
    {"spec", "side_effect", "return_value", "wraps", "name", "spec_set", "unsafe", "parent"}
)
"""What the constructors of mocks take."""
_PATCH = frozenset({"target", "new", "spec", "create", "spec_set", "autospec", "new_callable", "unsafe"})
_TAKEN = {
    **dict.fromkeys(CONSTRUCTORS, CONFIGURATION),
    "create_autospec": CONFIGURATION | {"instance"},
    "patch": CONFIGURATION | _PATCH,
    "patch.object": CONFIGURATION | _PATCH | {"attribute"},
}


@dataclass(frozen=True)
class MockCall:
    """``MagicMock(…)``, ``create_autospec(…)``, ``patch(…)``, ``mocker.patch.object(…)``."""

    context: Context
    site: Site
    call: ast.Call
    name: str
    """What is called, by its name in :mod:`unittest.mock`."""

    @property
    def takes(self) -> frozenset[str]:
        """The keywords that are not attributes of the mock."""
        return _TAKEN[self.name]

    @property
    def is_constructor(self) -> bool:
        return self.name in CONSTRUCTORS

    @property
    def is_patch(self) -> bool:
        return self.name in ("patch", "patch.object")

    @cached_property
    def keywords(self) -> Keywords:
        return keywords(self.context, self.site, self.call)

    def keyword(self, name: str) -> Given | None:
        return next((given for given in self.keywords.given if given.name == name), None)


def mock_calls(
    context: Context, question: str = "", wanted: Callable[[MockCall], bool] = lambda call: True
) -> Iterator[MockCall]:
    """Every call of the file that makes a mock or a patch.

    :param question: names what ``wanted`` asks; both as in :meth:`Context.sites`. It must not ask for
        :attr:`MockCall.keywords`, which may be written elsewhere.
    """
    if not any(word in context.source for word in ("Mock", "patch", "mocker", "create_autospec")):
        return

    def is_wanted(site: Site) -> bool:
        call = _mock_call(context, site)
        return call is not None and wanted(call)

    for site in context.sites(f"mock calls {question}", "calls", is_wanted):
        call = _mock_call(context, site)
        if call is not None:
            yield call


def _mock_call(context: Context, site: Site) -> MockCall | None:
    call = site.node
    assert isinstance(call, ast.Call)
    name = _called(context, site, call)
    return MockCall(context, site, call, name) if name in _TAKEN else None


def _called(context: Context, site: Site, call: ast.Call) -> str | None:
    dotted = dotted_name(call.func)
    if dotted is None:
        return None
    root, _, rest = dotted.partition(".")
    if root in MOCKERS:
        return rest if is_parameter(site, root) else None
    if not call.keywords:
        return None
    found = context.names.resolve(call.func, site.scope)
    return mock_name(found) if isinstance(found, External) else None
