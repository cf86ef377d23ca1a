"""All rules, found by their file names."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from understudy import rules as _package

if TYPE_CHECKING:
    from understudy.rules.base import Rule


@cache
def all_rules() -> dict[str, Rule]:
    """Code to rule, in order of the codes. A module ``us…`` of this package defines one, as ``RULE``."""
    found: dict[str, Rule] = {}
    for module in modules():
        rule = import_module(module).RULE
        found[rule.code] = rule
    return found


@cache
def modules() -> tuple[str, ...]:
    """The full names of their modules, in order of the codes."""
    found = sorted(info.name for info in pkgutil.iter_modules(_package.__path__))
    return tuple(f"{_package.__name__}.{name}" for name in found if name.startswith("us"))


def names() -> dict[str, str]:
    """Code to name. They are those of the files: no rule is imported for them."""
    split = (module.rpartition(".")[2].partition("_") for module in modules())
    return {code.upper(): name.replace("_", "-") for code, _, name in split}


def find(code_or_name: str) -> Rule | None:
    """A rule by its code (``US101``, in any case) or its name (``awaited-sync-mock``)."""
    wanted = code_or_name.strip()
    by_code = all_rules().get(wanted.upper())
    if by_code is not None:
        return by_code
    return next((rule for rule in all_rules().values() if rule.name == wanted.lower()), None)


def url(code: str) -> str | None:
    """Where a rule's page can be opened: the file that is installed with the package."""
    rule = all_rules().get(code)
    return rule.page_path.as_uri() if rule is not None else None
