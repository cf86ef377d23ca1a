"""All rules, found by their file names."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from understudy import rules as _package
from understudy.rules.base import Rule


@cache
def all_rules() -> dict[str, Rule]:
    """Code to rule, in order of the codes. A module ``us…`` of this package defines one, as ``RULE``."""
    found: dict[str, Rule] = {}
    for info in sorted(pkgutil.iter_modules(_package.__path__), key=lambda info: info.name):
        if info.name.startswith("us"):
            rule = import_module(f"{_package.__name__}.{info.name}").RULE
            found[rule.code] = rule
    return found


def names() -> dict[str, str]:
    """Code to name."""
    return {code: rule.name for code, rule in all_rules().items()}


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
