"""From a top-level statement's tree to its facts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache

from understudy.facts import model
from understudy.facts.model import Guard
from understudy.source.parse import Parsed, Unit, binds_inside, walruses
from understudy.source.span import Span

_DYNAMIC = re.compile(
    r"\bglobals\(\)|\bexec\(|\bvars\(\)|\bmodules\s*\[\s*__name__\s*\]|\bsetattr\(\s*sys\.modules|\blocals\(\)"
    # Of ``enum``: what puts the members of a class into its module.
    r"|\bglobal_enum\b|\._convert_\("
    # ``pkgutil.extend_path``: there is more to the package, maybe not installed here.
    r"|(?m:^__path__)\s*(?:=[^=]|\+=|\.)"
)
_DYNAMIC_WORDS = (
    *("globals()", "exec(", "vars()", "modules", "locals()", "__path__"),
    *("global_enum", "._convert_("),
)
"""One of them is in all that the pattern finds."""
_ENTRY = re.compile(r"""\bsys\.modules\[\s*["']([\w.]+)["']\s*\]\s*=[^=]""")
_OWN_NAME = re.compile(r"\((?:\s|#[^\n]*\n)*__name__\b")
_HANDED_OVER = re.compile(r"(?:modul|lazy|attach|deprecat)\w*\Z")
"""A module that hands its own name to a helper may be replaced by it: ``recreate_module(__name__, …)``."""
_LONGEST_HELPER = 100
_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})

_FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def extract(parsed: Parsed) -> model.ModuleFacts:
    """The facts of a parsed file."""
    units = tuple((unit.row, extract_unit(unit)) for unit in parsed.units)
    content = parsed.text.content
    return model.ModuleFacts(units, bool(parsed.problems) or _is_dynamic(content), _entries(content))


class OnDemand:
    """The facts of a file. Those of a function or class are read when somebody asks for them."""

    def __init__(self, parsed: Parsed) -> None:
        """:raises RecursionError: nested too deeply."""
        # Where the file is only outlined, a function that does not parse takes nothing but its own name with it.
        self.dynamic = parsed.known_to_be_broken or _is_dynamic(parsed.text.content)
        """As :attr:`model.ModuleFacts.dynamic`."""
        self.entries = _entries(parsed.text.content)
        """As :attr:`model.ModuleFacts.entries`."""
        self.statements: tuple[model.Statement, ...] = tuple(
            model.Known(unit.row, extract_unit(unit)) if unit.name is None else _Unread(unit)
            for unit in parsed.units
        )
        self._all: model.ModuleFacts | None = None

    @property
    def is_read(self) -> bool:
        """Has somebody asked for :meth:`all`?"""
        return self._all is not None

    def all(self) -> model.ModuleFacts:
        """Those of all statements."""
        if self._all is None:
            units = tuple((statement.row, statement.facts) for statement in self.statements)
            self._all = model.ModuleFacts(units, self.dynamic, self.entries)
        return self._all


class _Unread:
    """A function or class."""

    __slots__ = ("_facts", "_unit", "row")

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self.row = unit.row
        self._facts: model.UnitFacts | None = None

    @property
    def name(self) -> str | None:
        return self._unit.name

    @property
    def facts(self) -> model.UnitFacts:
        if self._facts is None:
            try:
                self._facts = extract_unit(self._unit)
            except RecursionError:
                # Nested too deeply: a name of which nothing is known.
                span = self._unit.span(self._unit.node).shifted(-self.row)
                bound = model.Assign(self.name or "", model.Opaque(span), None, (), span, span)
                self._facts = model.UnitFacts((bound,))
        return self._facts

    def mentions(self, word: str) -> bool:
        return self._unit.mentions(word)


def _is_dynamic(content: str) -> bool:
    # Looking for words is a hundred times as fast, and nearly no file has one.
    if any(word in content for word in _DYNAMIC_WORDS) and _DYNAMIC.search(content) is not None:
        return True
    return "__name__" in content and any(
        _HANDED_OVER.search(content[max(match.start() - _LONGEST_HELPER, 0) : match.start()])
        for match in _OWN_NAME.finditer(content)
    )


def _entries(content: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_ENTRY.findall(content))) if "sys.modules[" in content else ()


def extract_unit(unit: Unit) -> model.UnitFacts:
    """What a top-level statement says, its rows counted from its own first one."""
    known: model.UnitFacts | None = unit.memo.get("facts")
    if known is None:
        known = model.UnitFacts(tuple(_Reader(unit).statement(unit.node, ())))
        unit.memo["facts"] = known
    return known


class _Reader:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.row = unit.row

    def span(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword | ast.alias) -> Span:
        return self.unit.span_inside(node)

    # --- statements

    def block(self, body: Iterable[ast.stmt], guards: tuple[Guard, ...]) -> Iterator[model.Declaration]:
        for node in body:
            yield from self.statement(node, guards)

    def statement(self, node: ast.stmt, guards: tuple[Guard, ...]) -> Iterator[model.Declaration]:
        if binds_inside(node):
            for target in walruses(node):
                yield from self.opaque_targets(target, guards, node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield self.imported(node, guards, None)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield self.function(node, guards, node.name)
        elif isinstance(node, ast.ClassDef):
            yield self.class_(node, guards)
        elif isinstance(node, ast.Assign):
            value = self.term(node.value)
            for target in node.targets:
                yield from self.assigned(target, value, None, guards, node)
        elif isinstance(node, ast.AnnAssign):
            annotated = self.term(node.value) if node.value is not None else None
            yield from self.assigned(node.target, annotated, self.term(node.annotation), guards, node)
        elif isinstance(node, ast.AugAssign):
            yield from self.assigned(node.target, self.term(node.value), None, guards, node, augmented=True)
        elif isinstance(node, ast.If):
            yield from self.conditional(node, guards)
        elif isinstance(node, ast.Try) or node.__class__.__name__ == "TryStar":
            yield from self.tried(node, guards)  # type: ignore[arg-type]
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                yield model.Expression(self.term(item.context_expr), guards, self.span(item.context_expr))
                if item.optional_vars is not None:
                    yield from self.opaque_targets(item.optional_vars, guards, node)
            yield from self.block(node.body, guards)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            inner = (*guards, Guard.CONDITION)
            yield from self.opaque_targets(node.target, inner, node)
            yield from self.block([*node.body, *node.orelse], inner)
        elif isinstance(node, ast.While):
            yield from self.block([*node.body, *node.orelse], (*guards, Guard.CONDITION))
        elif isinstance(node, ast.Match):
            inner = (*guards, Guard.CONDITION)
            for case in node.cases:
                for name in _captures(case.pattern):
                    yield self.opaque(name, inner, node)
                yield from self.block(case.body, inner)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield model.Deletion(target.id, self.span(target))
        elif isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Await)):
            yield model.Expression(self.term(node.value), guards, self.span(node.value))
        elif node.__class__.__name__ == "TypeAlias":
            yield from self.opaque_targets(node.name, guards, node)  # type: ignore[attr-defined]

    def conditional(self, node: ast.If, guards: tuple[Guard, ...]) -> Iterator[model.Declaration]:
        kind = Guard.TYPE_CHECKING if _is_type_checking(node.test) else Guard.CONDITION
        yield from self.block(node.body, (*guards, kind))
        other = guards if kind is Guard.TYPE_CHECKING else (*guards, kind)
        yield from self.block(node.orelse, other)

    def tried(self, node: ast.Try, guards: tuple[Guard, ...]) -> Iterator[model.Declaration]:
        catches = any(_catches_import_error(handler) for handler in node.handlers)
        kind = Guard.IMPORT_ERROR if catches else Guard.CONDITION
        inner = (*guards, kind) if node.handlers else guards
        yield from self.block(node.body, inner)
        for handler in node.handlers:
            yield from self.block(handler.body, (*guards, kind))
        yield from self.block(node.orelse, inner)
        yield from self.block(node.finalbody, guards)

    def assigned(
        self,
        target: ast.expr,
        value: model.Term | None,
        annotation: model.Term | None,
        guards: tuple[Guard, ...],
        statement: ast.stmt,
        *,
        augmented: bool = False,
    ) -> Iterator[model.Declaration]:
        if isinstance(target, ast.Name):
            yield model.Assign(
                target.id, value, annotation, guards, self.span(target), self.span(statement), augmented
            )
        elif isinstance(target, ast.Attribute) and value is not None:
            owner = self.term(target.value)
            if isinstance(owner, model.Ref):
                yield model.AttributeAssign(owner, target.attr, value, self.span(target))
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Call):
            # ``locals()[name] = …``: any name of the class may be bound.
            yield model.Expression(self.term(target.value), guards, self.span(target.value))
        elif isinstance(target, (ast.Tuple, ast.List, ast.Starred)):
            yield from self.opaque_targets(target, guards, statement)

    def opaque_targets(
        self, target: ast.expr, guards: tuple[Guard, ...], statement: ast.stmt
    ) -> Iterator[model.Declaration]:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                yield model.Assign(
                    node.id,
                    model.Opaque(self.span(node)),
                    None,
                    guards,
                    self.span(node),
                    self.span(statement),
                )

    def opaque(self, name: str, guards: tuple[Guard, ...], node: ast.stmt) -> model.Assign:
        span = self.span(node)
        return model.Assign(name, model.Opaque(span), None, guards, span, span)

    def imported(
        self, node: ast.Import | ast.ImportFrom, guards: tuple[Guard, ...], function: str | None
    ) -> model.Import:
        names: list[model.ImportedName] = []
        star = False
        for alias in node.names:
            if alias.name == "*":
                star = True
                continue
            whole = self.span(alias)
            first = Span(whole.row, whole.column, whole.row, whole.column + len(alias.name))
            bound = alias.asname or alias.name
            if isinstance(node, ast.Import) and alias.asname is None:
                bound = alias.name.partition(".")[0]
            names.append(model.ImportedName(alias.name, bound, alias.asname is not None, first))
        is_from = isinstance(node, ast.ImportFrom)
        return model.Import(
            (node.module or "") if isinstance(node, ast.ImportFrom) else "",
            node.level if isinstance(node, ast.ImportFrom) else 0,
            tuple(names),
            is_from,
            star,
            guards,
            self.span(node),
            function,
        )

    def class_(self, node: ast.ClassDef, guards: tuple[Guard, ...]) -> model.Class:
        return model.Class(
            node.name,
            tuple(self.term(base) for base in node.bases),
            tuple(self.keyword(keyword) for keyword in node.keywords),
            tuple(self.term(decorator) for decorator in node.decorator_list),
            tuple(self.block(node.body, ())) if node is not self.unit.node else tuple(self.members()),
            guards,
            self.unit.name_span(node).shifted(-self.row),
        )

    def members(self) -> Iterator[model.Declaration]:
        """What the body of the class says. Methods that an edit leaves where they are keep their facts."""
        for part in self.unit.parts[1:]:
            if not isinstance(part.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield from self.statement(part.node, ())
                continue
            place = self.unit.distance(part)
            known: tuple[int, model.Function] | None = part.memo.get("facts")
            if known is None or known[0] != place:
                known = part.memo["facts"] = (place, self.function(part.node, (), part.node.name))
            yield known[1]

    def function(self, node: _FunctionNode, guards: tuple[Guard, ...], qualname: str) -> model.Function:
        imports: list[model.Import] = []
        global_names: list[str] = []
        attributes: dict[str, None] = {}
        sets_on: dict[tuple[str, str], None] = {}
        parameters = tuple(self.parameters(node.args))
        first = parameters[0].name if parameters else None
        source = self.unit.source(node)
        for child in _body_statements(node.body) if _may_be_seen_outside(source, first) else ():
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                imports.append(self.imported(child, guards, qualname))
            elif isinstance(child, ast.Global):
                global_names.extend(child.names)
            else:
                for part in _set_by(child) if first is not None else ():
                    if not isinstance(part, ast.Attribute):
                        continue
                    owner = parameter_set_on(part.value)
                    if owner == first:
                        attributes[part.attr] = None
                    elif owner is not None:
                        sets_on[owner, part.attr] = None
                if isinstance(child, ast.Expr) and isinstance(child.value, ast.Call):
                    found = set_by_call(child.value)
                    owner = parameter_set_on(found[0]) if found is not None else None
                    if found is not None and owner is not None:
                        sets_on[owner, found[1]] = None
        named = {parameter.name for parameter in parameters}
        return model.Function(
            node.name,
            isinstance(node, ast.AsyncFunctionDef),
            "yield" in source and _yields(node),
            parameters,
            tuple(self.term(decorator) for decorator in node.decorator_list),
            self.term(node.returns) if node.returns is not None else None,
            guards,
            self.unit.name_span(node).shifted(-self.row),
            tuple(imports),
            tuple(global_names),
            tuple(attributes),
            self.declared(node),
            tuple(pair for pair in sets_on if pair[0].removeprefix(model.CLASS_OF) in named),
        )

    def declared(self, node: _FunctionNode) -> model.Term | None:
        """The value of a ``declared_attr``: SQLAlchemy calls it while the class is made, so it belongs to the
        class, not to a body."""
        if not any(_is_declared_attr(decorator) for decorator in node.decorator_list):
            return None
        body = node.body
        if len(body) > 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
            return None
        return self.term(body[0].value)

    def parameters(self, arguments: ast.arguments) -> Iterator[model.Parameter]:
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        defaults.extend(arguments.defaults)
        for index, (arg, default) in enumerate(zip(positional, defaults, strict=True)):
            kind = "positional_only" if index < len(arguments.posonlyargs) else "positional"
            yield self.parameter(arg, kind, default)
        if arguments.vararg is not None:
            yield self.parameter(arguments.vararg, "var_positional", None)
        for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            yield self.parameter(arg, "keyword_only", default)
        if arguments.kwarg is not None:
            yield self.parameter(arguments.kwarg, "var_keyword", None)

    def parameter(self, arg: ast.arg, kind: str, default: ast.expr | None) -> model.Parameter:
        return model.Parameter(
            arg.arg,
            kind,
            self.term(arg.annotation) if arg.annotation is not None else None,
            self.term(default) if default is not None else None,
        )

    # --- expressions

    def keyword(self, node: ast.keyword) -> model.KeywordTerm:
        return model.KeywordTerm(
            node.arg, self.term(node.value), self.unit.keyword_span(node).shifted(-self.row)
        )

    def term(self, node: ast.expr) -> model.Term:
        span = self.span(node)
        if isinstance(node, ast.Constant):
            return model.Const(node.value, span)
        if isinstance(node, ast.Name):
            return model.Ref((node.id,), span)
        if isinstance(node, ast.Attribute):
            value = self.term(node.value)
            if isinstance(value, model.Ref):
                return model.Ref((*value.parts, node.attr), span)
            return model.AttrTerm(value, node.attr, span)
        if isinstance(node, ast.Call):
            return model.CallTerm(
                self.term(node.func),
                tuple(self.term(arg) for arg in node.args),
                tuple(self.keyword(keyword) for keyword in node.keywords),
                span,
            )
        if isinstance(node, ast.Subscript):
            return model.SubscriptTerm(self.term(node.value), self.term(node.slice), span)
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            return model.SequenceTerm(tuple(self.term(item) for item in node.elts), span)
        if isinstance(node, ast.Dict):
            return model.DictTerm(
                tuple(
                    (self.term(key) if key is not None else None, self.term(value))
                    for key, value in zip(node.keys, node.values, strict=True)
                ),
                span,
            )
        if isinstance(node, ast.Starred):
            return model.StarTerm(self.term(node.value), span)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return model.UnionTerm(self.term(node.left), self.term(node.right), span)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            operand = self.term(node.operand)
            if isinstance(operand, model.Const) and isinstance(operand.value, (int, float)):
                return model.Const(-operand.value, span)
        if isinstance(node, ast.Lambda) and not node.args.args and not node.args.kwonlyargs:
            return model.LambdaTerm(self.term(node.body), span)
        return model.Opaque(span)


def _may_be_seen_outside(source: str, first: str | None) -> bool:
    """May a function with this text import something, or set a global or an attribute of its first parameter? Looking
    for words takes a fraction of the time that looking through its statements takes."""
    if "import" in source or "global" in source or "setattr" in source or "__set_name__" in source:
        return True
    # Python reads other spellings of a name that is not ASCII as the same name.
    return first is not None and (not first.isascii() or _set_on(first).search(source) is not None)


@cache
def _set_on(name: str) -> re.Pattern[str]:
    """What is in every text that sets an attribute of a variable: it is neither called nor looked into."""
    return re.compile(rf"\b{re.escape(name)}[\s)]*\.\s*(?:__class__[\s)]*\.\s*)?\w+\s*(?:[^\w\s.(]|in\b)")


def parameter_set_on(owner: ast.expr) -> str | None:
    """The variable that an attribute is set on; with :data:`model.CLASS_OF` before it for ``type(self).x = …`` and
    ``self.__class__.x = …``."""
    if isinstance(owner, ast.Name):
        return owner.id
    of_class: ast.expr | None = None
    if isinstance(owner, ast.Attribute) and owner.attr == "__class__":
        of_class = owner.value
    elif isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "type":
        of_class = owner.args[0] if len(owner.args) == 1 else None
    return f"{model.CLASS_OF}{of_class.id}" if isinstance(of_class, ast.Name) else None


def set_by_call(call: ast.Call) -> tuple[ast.expr, str] | None:
    """What ``setattr(owner, "name", …)`` or ``type.__setattr__(owner, "name", …)`` sets an attribute on, and which;
    :data:`model.COMPUTED` for one that is not written there."""
    func, arguments = call.func, call.args
    if isinstance(func, ast.Attribute) and func.attr == "__setattr__" and len(arguments) == 2:
        # ``super().__setattr__(name, …)``, ``owner.__setattr__(name, …)``
        owner, key = func.value, arguments[0]
    elif len(arguments) > 1 and (
        (isinstance(func, ast.Attribute) and func.attr == "__setattr__")
        or (isinstance(func, ast.Name) and func.id == "setattr")
    ):
        owner, key = arguments[0], arguments[1]
    else:
        return None
    plain = key.value if isinstance(key, ast.Constant) else None
    return owner, plain if isinstance(plain, str) else model.COMPUTED


def _set_by(statement: ast.stmt) -> Iterator[ast.expr]:
    """What a statement itself sets: the targets of an assignment, a ``for`` or a ``with``."""
    if isinstance(statement, ast.Assign):
        stack = list(statement.targets)
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign, ast.For, ast.AsyncFor)):
        stack = [statement.target]
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        stack = [item.optional_vars for item in statement.items if item.optional_vars is not None]
    else:
        return
    stack.reverse()
    while stack:
        target = stack.pop()
        if isinstance(target, (ast.Tuple, ast.List)):
            stack.extend(reversed(target.elts))
        else:
            yield target.value if isinstance(target, ast.Starred) else target


def _body_statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a function body, nested blocks and nested functions included."""
    stack = list(body)[::-1]
    while stack:
        node = stack.pop()
        yield node
        for name in ("finalbody", "orelse", "body"):
            children = getattr(node, name, None)
            if isinstance(children, list):
                stack.extend(child for child in reversed(children) if isinstance(child, ast.stmt))
        for handler in getattr(node, "handlers", ()):
            stack.extend(reversed(handler.body))
        for case in getattr(node, "cases", ()):
            stack.extend(reversed(case.body))


def _yields(function: _FunctionNode) -> bool:
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))
    return False


def _is_declared_attr(decorator: ast.expr) -> bool:
    """``declared_attr``, ``orm.declared_attr``, ``declared_attr.directive``."""
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    while isinstance(decorator, ast.Attribute):
        if decorator.attr == "declared_attr":
            return True
        decorator = decorator.value
    return isinstance(decorator, ast.Name) and decorator.id == "declared_attr"


def _is_type_checking(test: ast.expr) -> bool:
    """Is a condition false when the program runs?"""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(map(_is_type_checking, test.values))
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING" or (isinstance(test, ast.Constant) and test.value is False)


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(node, ast.Name) and node.id in _IMPORT_ERRORS for node in types)


def _captures(pattern: ast.pattern) -> Iterator[str]:
    for node in ast.walk(pattern):
        if isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
