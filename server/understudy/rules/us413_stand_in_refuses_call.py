"""US413: code under test calls a function, lambda or class of the tests as its parameters do not allow."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from understudy.doubles import signature
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import FunctionValue
from understudy.finding import Finding, Fix, Related, Severity
from understudy.fixes import parameters
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_NAMED = re.compile(r"'(\w+)'")


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    groups: dict[ast.AST, list[Failure]] = {}
    for _, failure in async_doubles.failures(context, Misuse.STAND_IN_CALL, in_test=False):
        function = failure.subject
        assert isinstance(function, FunctionValue)
        if async_doubles.is_as_written(context, function):
            groups.setdefault(function.node, []).append(failure)
    for failures in groups.values():
        failure, uses = failures[0], {each.place.key: each for each in failures}.values()
        function = failure.subject
        assert isinstance(function, FunctionValue)
        fixes = tuple(_fixes(failure, function)) if len({each.error for each in failures}) == 1 else ()
        yield rule.finding(
            function.unit.path,
            async_doubles.span_of(function),
            _message(failure, function),
            related=tuple(Related(use.place.unit.path, use.place.span, "called here") for use in uses),
            fixes=fixes,
        )


def _message(failure: Failure, function: FunctionValue) -> str:
    name = "this lambda" if isinstance(function.node, ast.Lambda) else f"`{function.name}`"
    caller = f"`{failure.calls[-1].function.name}`" if failure.calls else "the code under test"
    named = _NAMED.search(failure.error)
    word = named[1] if named is not None else ""
    if failure.error.startswith("got an unexpected"):
        how = f"with the keyword `{word}`, which it does not take"
    elif failure.error.startswith("missing"):
        how = f"without `{word}`, which it needs"
    elif failure.error.startswith("multiple"):
        how = f"with two values for `{word}`"
    else:
        how = "with more arguments than it takes"
    advice = "give it the parameters of what it stands in for"
    if _lacks_self(failure, function):
        how += ", for as a method it gets the object first"
        advice = "take `self`"
    call = async_doubles.source_of(failure)
    return f"{caller} calls {name} {how}: `{call}` raises TypeError; {advice}"


def _lacks_self(failure: Failure, function: FunctionValue) -> bool:
    """Was a function put on a class that would do with the object as one more parameter?"""
    call = failure.place.node
    if failure.detail != "1" or function.owner is not None or not isinstance(call, ast.Call):
        return False
    keywords = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
    refused = signature.refusal(
        function.node.args, skipped=0, positional=len(call.args), keywords=keywords, is_open=False
    )
    return refused is None


def _fixes(failure: Failure, function: FunctionValue) -> Iterator[Fix]:
    unit = function.unit
    applicability = async_doubles.own_function(function)
    if _lacks_self(failure, function):
        edit = parameters.add_first(unit, function.node, "self")
        if edit is not None:
            yield Fix("Take `self`", applicability, (edit,))
    elif failure.error.startswith("got an unexpected"):
        edit = parameters.add_last(unit, function.node, "**kwargs")
        if edit is not None:
            yield Fix("Take `**kwargs`", applicability, (edit,))


RULE = Rule(
    "US413",
    "stand-in-refuses-call",
    Severity.ERROR,
    "code under test calls a function, lambda or class of the tests with arguments that it does not take",
    check,
    __name__,
)
