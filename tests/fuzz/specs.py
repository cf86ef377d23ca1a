"""The class and the functions that the programs' doubles stand for, written out as far as a program needs them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """Of the class ``Client``: what it is, right and wrong arguments for a call, and its source."""

    kind: str
    right: str
    wrong: tuple[str, ...]
    source: str


MEMBERS = {
    "get": Member("async", '"k"', ("", '"k", 2', "kee=1"), "async def get(self, key):\n    return {key: 1}"),
    "save": Member(
        "async", '"k", value=1', ("1, 2, 3", "value=1"), "async def save(self, key, value=None):\n    return True"
    ),
    "build": Member("def", "1", ("", "1, 2, 3", "z=1"), "def build(self, x, y=None):\n    return x"),
    "items": Member("def", "", (), "def items(self, *names, **options):\n    return [names]"),
    "timeout": Member("attribute", "", (), "timeout = 5"),
    "url": Member("property", "", (), '@property\ndef url(self):\n    return "u"'),
    "parse": Member("static", '"t"', ("", "1, 2"), "@staticmethod\ndef parse(text):\n    return text"),
    "connect": Member(
        "classmethod", '"d"', ("", "1, 2"), "@classmethod\nasync def connect(cls, dsn):\n    pass"
    ),
    "pages": Member("asyncgen", "", ("1",), "async def pages(self):\n    yield 1"),
    "session": Member("manager", "", ("1",), "@asynccontextmanager\nasync def session(self):\n    yield self"),
    "later": Member("awaitable", "", ("1",), "def later(self):\n    return self.get(1)"),
}  # fmt: skip

FREE = ("execute", "first", "rows", "get")
"""Names of children of doubles without a spec."""

PROTOCOLS = {
    "aenter": "async def __aenter__(self):\n    return self\n\nasync def __aexit__(self, *args):\n    return None",
    "enter": "def __enter__(self):\n    return self\n\ndef __exit__(self, *args):\n    return None",
    "aiter": "def __aiter__(self):\n    return self\n\nasync def __anext__(self):\n    raise StopAsyncIteration",
    "iter": "def __iter__(self):\n    return iter([])",
    "getitem": "def __getitem__(self, key):\n    return key",
    "call": "def __call__(self):\n    return 1",
}

FUNCTIONS = {
    "fetch": Member("async", '"k"', ("", '"k", 2', "kee=1"), "async def fetch(key):\n    return {key: 1}"),
    "load": Member("def", '"k"', ("", '"k", 2', "kee=1"), "def load(key):\n    return {key: 1}"),
}
