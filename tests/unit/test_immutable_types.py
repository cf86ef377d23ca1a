"""The types that US212 takes for immutable are."""

from __future__ import annotations

import importlib

import pytest
from understudy.rules import us212_patch_immutable_target as rule


@pytest.mark.parametrize("dotted", sorted(rule._TYPES))
def test_types_refuse_to_be_changed(dotted: str) -> None:
    module, _, name = dotted.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    with pytest.raises(TypeError):
        cls.__repr__ = None
    assert rule.is_immutable(dotted)


@pytest.mark.parametrize("name", ["dict", "str", "object", "ValueError"])
def test_built_in_types_refuse_to_be_changed(name: str) -> None:
    assert rule.is_immutable(f"builtins.{name}")


@pytest.mark.parametrize("dotted", ["uuid.UUID", "collections.Counter", "builtins.open", "socket.socket"])
def test_others_do_not(dotted: str) -> None:
    assert not rule.is_immutable(dotted)
