"""Would a function take these arguments? As ``inspect.Signature.bind`` answers, which autospecced mocks ask."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """Why a call does not fit a signature."""

    error: str
    """The message of the ``TypeError``, as CPython 3.10 words it."""
    index: int | None = None
    """The argument that is too much, by position."""
    keyword: str | None = None
    """The keyword that is not a parameter, or is given twice."""


def refusal(
    parameters: ast.arguments,
    *,
    skipped: int,
    positional: int,
    keywords: Collection[str],
    is_open: bool,
) -> Refusal | None:
    """Why ``positional`` arguments and these keywords do not fit; None when they fit, or may fit.

    ``skipped`` first parameters are filled already (``self``). ``is_open``: ``*args`` or ``**kwargs`` of unknown
    content are given as well, so nothing is missing for certain.
    """
    positional_only = [arg.arg for arg in parameters.posonlyargs]
    names = [*positional_only, *(arg.arg for arg in parameters.args)]
    if skipped > len(names):
        return None
    required = names[: len(names) - len(parameters.defaults)]
    open_to = names[skipped:]
    if positional > len(open_to) and parameters.vararg is None:
        return Refusal("too many positional arguments", index=len(open_to))
    filled = set(open_to[:positional])
    by_name = {
        *(name for name in open_to if name not in positional_only),
        *(arg.arg for arg in parameters.kwonlyargs),
    }
    for name in open_to:
        if name in filled and name in keywords and name in by_name:
            return Refusal(f"multiple values for argument {name!r}", keyword=name)
    if not is_open:
        for name in open_to:
            if name in required and name not in filled and (name not in keywords or name not in by_name):
                return Refusal(f"missing a required argument: {name!r}")
        for arg, default in zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True):
            if default is None and arg.arg not in keywords:
                return Refusal(f"missing a required argument: {arg.arg!r}")
    if parameters.kwarg is None:
        for name in keywords:
            if name not in by_name:
                return Refusal(f"got an unexpected keyword argument {name!r}", keyword=name)
    return None


def written(parameters: ast.arguments, skipped: int) -> str:
    """The parameters as they are written, without annotations and without those that are filled: ``a, b=1``."""
    shown: list[str] = []
    positional = [*parameters.posonlyargs, *parameters.args]
    first_default = len(positional) - len(parameters.defaults)
    for index, arg in enumerate(positional):
        if index < skipped:
            continue
        default = parameters.defaults[index - first_default] if index >= first_default else None
        shown.append(_with_default(arg, default))
        if index + 1 == len(parameters.posonlyargs):
            shown.append("/")
    if parameters.vararg is not None:
        shown.append(f"*{parameters.vararg.arg}")
    elif parameters.kwonlyargs:
        shown.append("*")
    for arg, keyword_default in zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True):
        shown.append(_with_default(arg, keyword_default))
    if parameters.kwarg is not None:
        shown.append(f"**{parameters.kwarg.arg}")
    return ", ".join(shown)


def _with_default(arg: ast.arg, default: ast.expr | None) -> str:
    return arg.arg if default is None else f"{arg.arg}={ast.unparse(default)}"
