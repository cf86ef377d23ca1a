"""The arguments of a simulated call."""

from __future__ import annotations

import ast

from understudy.doubles.values import Value


class Arguments:
    """The arguments of a call, with the nodes that gave them."""

    __slots__ = ("is_open", "keyword_nodes", "keywords", "nodes", "values")

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.nodes: list[ast.expr | None] = []
        self.keywords: dict[str, Value] = {}
        self.keyword_nodes: dict[str, ast.expr] = {}
        self.is_open = False
        """True when ``*args`` or ``**kwargs`` of unknown content are among them."""

    @classmethod
    def of(cls, *values: Value) -> Arguments:
        made = cls()
        for value in values:
            made.values.append(value)
            made.nodes.append(None)
        return made

    def copy(self) -> Arguments:
        made = Arguments()
        made.values, made.nodes = list(self.values), list(self.nodes)
        made.keywords, made.keyword_nodes = dict(self.keywords), dict(self.keyword_nodes)
        made.is_open = self.is_open
        return made

    def with_first(self, value: Value) -> Arguments:
        made = Arguments()
        made.values = [value, *self.values]
        made.nodes = [None, *self.nodes]
        made.keywords = self.keywords
        made.keyword_nodes = self.keyword_nodes
        made.is_open = self.is_open
        return made

    def get(self, index: int, name: str) -> Value | None:
        """An argument by position or name."""
        if name in self.keywords:
            return self.keywords[name]
        return self.values[index] if index < len(self.values) else None

    def node(self, index: int, name: str) -> ast.expr | None:
        if name in self.keyword_nodes:
            return self.keyword_nodes[name]
        return self.nodes[index] if index < len(self.nodes) else None

    def everything(self) -> list[Value]:
        return [*self.values, *self.keywords.values()]
