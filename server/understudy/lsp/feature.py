"""What the server offers: a module of :mod:`understudy.lsp.features` each, found by its file.

A module there lists in ``FEATURES`` what it answers. Several may answer one method, such as completion: what they
find is put together, in order of the file names.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from understudy.lsp import features as _package
from understudy.lsp.capabilities import Client

if TYPE_CHECKING:
    from understudy.lsp.session import Session


@dataclass(frozen=True)
class Feature:
    """The answer to a request of the client.

    :func:`understudy.lsp.session.Session.report` gives a handler the findings of a document,
    :func:`~understudy.lsp.session.Session.ask` runs something on the analysis thread. A handler's own fault is
    logged, and answered as *nothing found*.
    """

    method: str
    """``textDocument/completion``, or the name of a command, such as ``understudy.explain``."""
    handler: Callable[[Session, Any], Awaitable[Any]]
    options: Callable[[Client], Any] | None = None
    """What to announce, an object of :mod:`lsprotocol.types`. Of several features of one method, lists in it (the
    characters that trigger a completion) are put together."""
    when: Callable[[Client], bool] | None = None
    """Offered to this client? By default, when its capabilities name the method."""

    @property
    def is_command(self) -> bool:
        return "/" not in self.method

    def offered(self, client: Client) -> bool:
        if self.when is not None:
            return self.when(client)
        return self.is_command or client.names(self.method)


@cache
def all_features() -> tuple[Feature, ...]:
    found: list[Feature] = []
    for info in sorted(pkgutil.iter_modules(_package.__path__), key=lambda info: info.name):
        found.extend(import_module(f"{_package.__name__}.{info.name}").FEATURES)
    return tuple(found)


def offered(client: Client) -> Iterator[tuple[str, tuple[Feature, ...], Any]]:
    """Each method (or command) that this client is offered, who answers it, and what is announced."""
    by_method: dict[str, list[Feature]] = {}
    for feature in all_features():
        if feature.offered(client):
            by_method.setdefault(feature.method, []).append(feature)
    for method, of_method in by_method.items():
        announced = [feature.options(client) for feature in of_method if feature.options is not None]
        yield method, tuple(of_method), _together(announced)


def joined(answers: Sequence[Any]) -> Any:
    """The answers of several features to one request as one: lists and hovers one after the other, else the first."""
    there = [answer for answer in answers if answer is not None]
    if len(there) < 2:
        return there[0] if there else None
    if any(isinstance(answer, types.CompletionList) for answer in there):
        lists = [a if isinstance(a, types.CompletionList) else types.CompletionList(False, a) for a in there]
        items = [item for each in lists for item in each.items]
        return types.CompletionList(any(each.is_incomplete for each in lists), items)
    texts = [answer.contents for answer in there if isinstance(answer, types.Hover)]
    marked = [text for text in texts if isinstance(text, types.MarkupContent)]
    if len(marked) == len(there):
        return types.Hover(_one_text(marked), there[0].range)
    if all(isinstance(answer, list) for answer in there):
        return [item for answer in there for item in answer]
    return there[0]


def _one_text(texts: Sequence[types.MarkupContent]) -> types.MarkupContent:
    between = "\n\n---\n\n" if texts[0].kind is types.MarkupKind.Markdown else "\n\n"
    return types.MarkupContent(texts[0].kind, between.join(text.value for text in texts))


def _together(announced: list[Any]) -> Any:
    if not announced:
        return None
    made = copy(announced[0])
    for other in announced[1:]:
        for attribute in made.__attrs_attrs__:
            mine, theirs = getattr(made, attribute.name), getattr(other, attribute.name)
            if isinstance(mine, (list, tuple)) and isinstance(theirs, (list, tuple)):
                setattr(made, attribute.name, list(dict.fromkeys([*mine, *theirs])))
            elif mine is None:
                setattr(made, attribute.name, theirs)
    return made
