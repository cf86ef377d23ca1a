"""US312: tables are made in one in-memory SQLite, and looked for in another."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from understudy.doubles.library import web
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.fixes.arguments import add_keyword
from understudy.infer.entities import ClassEntity, External
from understudy.infer.scopes import FunctionNode, Site
from understudy.rules.base import Context, Rule
from understudy.rules.engines import engine_of
from understudy.rules.expected import excused, expected
from understudy.source.dotted import last_name
from understudy.source.span import Span

_MEMORY = re.compile(r"sqlite(?:\+pysqlite)?://(?:/:memory:)?")
_PLAIN = frozenset({"echo", "echo_pool", "future", "connect_args", "poolclass"})
Made = tuple[Site, ast.Call]
"""The call of ``create_all``."""
_TABLES = re.compile(
    r"(?i)create\s+table|\battach\b|\.create\(|\.listens_for\(|\bevent\.|StaticPool|\.execute\(\s*text"
)
"""What else may make tables, or share a database."""
_QUERIES = frozenset({"query", "scalars", "scalar", "get", "get_one"})
_ERRORS = ("OperationalError", "DBAPIError", "SQLAlchemyError")


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or "create_all" not in context.source or "sqlite" not in context.source:
        return
    if _expects_trouble(context):
        return
    yield from _by_engines(rule, context)
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        if last_name(call) != "create_engine":
            continue
        engine = engine_of(context, site, call)
        if engine is None or not _MEMORY.fullmatch(engine.url):
            continue
        if any(keyword.arg not in _PLAIN for keyword in call.keywords) or excused(context):
            continue
        name = _name(context, site)
        made = _made(context, name) if name is not None else None
        if name is None or made is None:
            continue
        pool = next((keyword.value for keyword in call.keywords if keyword.arg == "poolclass"), None)
        if pool is None:
            yield from _by_threads(rule, context, site, call, name, made)
        elif _is_null_pool(context, site, pool):
            related = (Related(context.path, made[0].unit.span(made[1]), "the tables are made here"),)
            message = (
                "`NullPool` gives each connection an empty database of its own, so the tables are gone as soon as "
                f"`create_all` has made them; {_advice(call)}"
            )
            yield rule.finding(
                context.path,
                site.unit.span(call.func),
                message,
                related=related,
                fixes=_fixes(context, site, call),
            )


def _by_engines(rule: Rule, context: Context) -> Iterator[Finding]:
    """Another engine for an in-memory database, that only sessions use, beside the one that has the tables."""
    engines: dict[str, tuple[Site, ast.Call]] = {}
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        engine = engine_of(context, site, call) if last_name(call) == "create_engine" else None
        name = _name(context, site) if engine is not None and _MEMORY.fullmatch(engine.url) else None
        if name is not None and all(keyword.arg in _PLAIN for keyword in call.keywords):
            engines[name] = (site, call)
    filled = [(name, made) for name in engines if (made := _made(context, name)) is not None]
    if len(engines) < 2 or len(filled) != 1 or excused(context) or _TABLES.search(context.source):
        return
    first, made = filled[0]
    for name, (site, call) in engines.items():
        if name == first or site.scope.node is not engines[first][0].scope.node:
            continue
        query = _query(context, name)
        if query is None or expected(context, query, *_ERRORS):
            continue
        assert isinstance(query.node, ast.Call)
        fixes: tuple[Fix, ...] = ()
        if site.unit.span(call).row > engines[first][0].unit.span(engines[first][1]).row:
            edit = Edit(context.path, site.unit.span(call), first)
            fixes = (Fix(f"Use `{first}` for both", Applicability.UNSAFE, (edit,)),)
        yield rule.finding(
            context.path,
            site.unit.span(call.func),
            f"`{name}` is an empty database of its own, and the tables are made in that of `{first}`, so its queries "
            f"raise OperationalError: no such table; use `{first}` for both",
            related=(
                Related(context.path, made[0].unit.span(made[1]), "the tables are made here"),
                Related(context.path, query.unit.span(query.node), "a query on the other one"),
            ),
            fixes=fixes,
        )


def _query(context: Context, name: str) -> Site | None:
    """A query of a session of the engine in a test; None where anything but sessions has the engine."""
    makers = set(_makers(context, name))
    opening = [
        site
        for site in context.scopes.calls
        if isinstance(site.node, ast.Call)
        and (
            (last_name(site.node) in ("Session", "sessionmaker") and _given(site.node, name))
            or (isinstance(site.node.func, ast.Name) and site.node.func.id in makers)
        )
    ]
    given = {id(child) for site in opening for child in ast.walk(site.node) if isinstance(child, ast.Name)}
    for unit in context.parsed.units:
        for node in ast.walk(unit.node):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                if id(node) not in given:
                    return None
    sessions = {id(site.node) for site in opening if last_name(site.node) != "sessionmaker"}  # type: ignore[arg-type]
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in _QUERIES:
            continue
        function = site.scope.function
        if (
            function is None
            or not function.name.startswith("test")
            or not isinstance(call.func.value, ast.Name)
            or not any(_is_model(context, site, argument) for argument in call.args)
        ):
            continue
        for around in site.chain:
            if isinstance(around, ast.With):
                for item in around.items:
                    opened = item.optional_vars
                    if isinstance(opened, ast.Name) and opened.id == call.func.value.id:
                        if id(item.context_expr) in sessions:
                            return site
    return None


def _is_model(context: Context, site: Site, argument: ast.expr) -> bool:
    """Does an argument name a model: ``User``, ``select(User)``?"""
    for node in ast.walk(argument):
        if isinstance(node, (ast.Name, ast.Attribute)):
            found = context.names.resolve(node, site.scope)
            if isinstance(found, ClassEntity) and context.models.mapped(found) is not None:
                return True
    return False


def _expects_trouble(context: Context) -> bool:
    """Does the file name one of the errors?"""
    nodes = (node for unit in context.parsed.units for node in ast.walk(unit.node))
    return any(
        (isinstance(node, ast.Name) and node.id in _ERRORS)
        or (isinstance(node, ast.Attribute) and node.attr in _ERRORS)
        for node in nodes
    )


def _by_threads(
    rule: Rule, context: Context, site: Site, call: ast.Call, name: str, made: Made
) -> Iterator[Finding]:
    makers = set(_makers(context, name))
    for handed, place, function in _threaded(context):
        if (
            not _opens(function, name, makers)
            or made[0].scope.function is function
            or expected(context, handed, *_ERRORS)
        ):
            continue
        yield rule.finding(
            context.path,
            site.unit.span(call.func),
            f"each thread gets an empty database of its own, and `{function.name}` runs in another one than "
            f"`create_all`, so its queries raise OperationalError: no such table; {_advice(call)}",
            related=(
                Related(context.path, made[0].unit.span(made[1]), "the tables are made here"),
                Related(
                    context.path,
                    handed.unit.span(place),
                    f"`{function.name}` is handed over here, and runs in a thread",
                ),
            ),
            fixes=_fixes(context, site, call),
        )
        return


def _name(context: Context, site: Site) -> str | None:
    """The name that the engine is bound to, when nothing else in the file has it."""
    for node in site.chain:
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            if node.value is site.node and len(node.targets) == 1 and isinstance(target, ast.Name):
                return target.id if _bound_once(context, target.id) else None
    return None


def _bound_once(context: Context, name: str) -> bool:
    found = 0
    for unit in context.parsed.units:
        for node in ast.walk(unit.node):
            if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load):
                found += 1
            elif isinstance(node, ast.arg) and node.arg == name:
                return False
            elif (
                isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == name
            ):
                return False
    return found == 1


def _made(context: Context, name: str) -> Made | None:
    """The only call of ``create_all``, when it is given the engine itself."""
    calls = [
        (site, site.node)
        for site in context.scopes.calls
        if isinstance(site.node, ast.Call) and last_name(site.node) == "create_all"
    ]
    reads = [site for site in context.scopes.reads if getattr(site.node, "attr", "") == "create_all"]
    if len(calls) != 1 or len(reads) != 1:
        return None
    call = calls[0][1]
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "bind")]
    return calls[0] if given and _is(given[0], name) else None


def _makers(context: Context, name: str) -> Iterator[str]:
    """Session makers of the engine: ``Local = sessionmaker(bind=engine)``."""
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        if last_name(call) == "sessionmaker" and _given(call, name):
            bound = _name(context, site)
            if bound is not None:
                yield bound


def _given(call: ast.Call, name: str) -> bool:
    bind = [keyword.value for keyword in call.keywords if keyword.arg == "bind"] or call.args[:1]
    return bool(bind) and _is(bind[0], name)


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _threaded(context: Context) -> Iterator[tuple[Site, ast.expr, FunctionNode]]:
    """Functions of the file that run in a thread of their own, each with where they are handed over."""
    functions: dict[str, list[FunctionNode]] = {}
    for found in context.scopes.functions:
        assert isinstance(found.node, (ast.FunctionDef, ast.AsyncFunctionDef))
        functions.setdefault(found.node.name, []).append(found.node)
    handed: list[tuple[Site, ast.expr]] = []
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        method = last_name(call)
        if method == "Thread":
            handed.extend((site, keyword.value) for keyword in call.keywords if keyword.arg == "target")
        elif method in ("to_thread", "submit") and call.args:
            if method == "to_thread" or "ThreadPoolExecutor" in context.source:
                handed.append((site, call.args[0]))
    for site in context.scopes.statements:
        node = site.node
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            if last_name(node.targets[0].value) == web.OVERRIDES:
                # FastAPI calls a plain function in its pool of threads.
                handed.append((site, node.value))
    for site, given in handed:
        named = functions.get(given.id, []) if isinstance(given, ast.Name) else []
        if len(named) == 1 and isinstance(named[0], ast.FunctionDef):
            yield site, given, named[0]


def _opens(function: FunctionNode, engine: str, makers: set[str]) -> bool:
    """Does a function open a connection or session of the engine of its own?"""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in makers:
                return True
            if last_name(node) == "Session" and _given(node, engine):
                return True
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("connect", "begin"):
                if _is(node.func.value, engine):
                    return True
    return False


def _is_null_pool(context: Context, site: Site, pool: ast.expr) -> bool:
    found = context.names.resolve(pool, site.scope)
    return isinstance(found, External) and found.root == "sqlalchemy" and found.name == "NullPool"


def _connects_anywhere(call: ast.Call) -> bool | None:
    """Does the engine let several threads use one connection? None when that is not known."""
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "connect_args"), None)
    if given is None:
        return False
    if isinstance(given, ast.Dict):
        for key, value in zip(given.keys, given.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "check_same_thread":
                return True if isinstance(value, ast.Constant) and value.value is False else None
    return None


def _advice(call: ast.Call) -> str:
    also = "" if _connects_anywhere(call) else ' and `connect_args={"check_same_thread": False}`'
    return f"`poolclass=StaticPool`{also} lets all share one connection"


def _fixes(context: Context, site: Site, call: ast.Call) -> tuple[Fix, ...]:
    shared = _connects_anywhere(call)
    spelled = imports.from_module(context.parsed, "sqlalchemy.pool", "StaticPool")
    if shared is None or spelled is None:
        return ()
    edits = list(spelled.edits)
    added = [] if shared else ['connect_args={"check_same_thread": False}']
    pool = next((keyword.value for keyword in call.keywords if keyword.arg == "poolclass"), None)
    if pool is None:
        added.append(f"poolclass={spelled.text}")
    else:
        edits.append(Edit(context.path, site.unit.span(pool), spelled.text))
    if added:
        span: Span = site.unit.span(call)
        edits.append(add_keyword(context.path, context.parsed.text, span, ", ".join(added)))
    return (Fix("Share one connection with `StaticPool`", Applicability.UNSAFE, tuple(edits)),)


RULE = Rule(
    "US312",
    "in-memory-sqlite-per-connection",
    Severity.WARNING,
    "an in-memory SQLite shared by threads or connections without `StaticPool`: each has its own empty database",
    check,
    __name__,
)
