"""How the machine evaluates expressions."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable
from functools import partial

from understudy.doubles import comprehensions, constructors
from understudy.doubles.arguments import Arguments
from understudy.doubles.arithmetic import worked_out
from understudy.doubles.comparisons import contains, equal, identical, in_order, is_never
from understudy.doubles.core import ITEM_ERRORS, Taking, Yielded
from understudy.doubles.library import plain
from understudy.doubles.objects import Objects
from understudy.doubles.state import (
    Misuse,
    Status,
    join,
)
from understudy.doubles.values import (
    NOT_IMPLEMENTED,
    UNKNOWN,
    BoundBuiltin,
    ClassValue,
    Coroutine,
    Environment,
    Foreign,
    FunctionValue,
    Instance,
    Literal,
    Mapping_,
    Mock,
    Sequence_,
    SuperValue,
    Unknown,
    Value,
    as_set,
    kind_of,
    one_of,
    part_of,
)
from understudy.infer.entities import Absent

_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("add", "+"),
    ast.Sub: ("sub", "-"),
    ast.Mult: ("mul", "*"),
    ast.MatMult: ("matmul", "@"),
    ast.Div: ("truediv", "/"),
    ast.FloorDiv: ("floordiv", "//"),
    ast.Mod: ("mod", "%"),
    ast.LShift: ("lshift", "<<"),
    ast.RShift: ("rshift", ">>"),
    ast.BitAnd: ("and", "&"),
    ast.BitXor: ("xor", "^"),
    ast.BitOr: ("or", "|"),
    ast.Pow: ("pow", "** or pow()"),
}
_ORDERINGS: dict[type[ast.cmpop], tuple[str, str, str]] = {
    ast.Lt: ("__lt__", "__gt__", "<"),
    ast.Gt: ("__gt__", "__lt__", ">"),
    ast.LtE: ("__le__", "__ge__", "<="),
    ast.GtE: ("__ge__", "__le__", ">="),
}
_CONTAINING = ("__contains__", "__iter__", "__getitem__")
"""``in`` asks the first that there is."""
_NOT_A_CONTAINER = "argument of type 'coroutine' is not iterable"

_LONGEST = 1000
"""Longer text is not put together."""


class Expressions(Objects):
    """Adds expressions."""

    @abstractmethod
    def assign(
        self, target: ast.expr, value: Value, env: Environment, source: ast.expr | None = None
    ) -> None:
        """Bind a target."""

    # --- expressions -----------------------------------------------------------------------------------------------

    def eval(self, node: ast.expr, env: Environment) -> Value:
        self.tick()
        method = _EXPRESSIONS.get(type(node))
        if method is None:
            return UNKNOWN
        return method(self, node, env)

    def _constant(self, node: ast.Constant, env: Environment) -> Value:
        return Literal(node.value)

    def _name(self, node: ast.Name, env: Environment) -> Value:
        return self._given_away(self.lookup(env, node.id))

    def _attribute(self, node: ast.Attribute, env: Environment) -> Value:
        return self._given_away(self.attribute(self.eval(node.value, env), node.attr, node, env))

    def _given_away(self, value: Value) -> Value:
        """A value that is not called on the spot."""
        if isinstance(value, FunctionValue):
            self.hand_out(value)
        elif isinstance(value, BoundBuiltin):
            # ``table.clear``
            self.unsettle([value.receiver])
        return value

    def callee(self, node: ast.expr, env: Environment) -> Value:
        """What is called."""
        if isinstance(node, ast.Name):
            self.tick()
            return self.lookup(env, node.id)
        if isinstance(node, ast.Attribute):
            self.tick()
            receiver = self.eval(node.value, env)
            found = self.attribute(receiver, node.attr, node, env)
            if isinstance(found, (Unknown, Foreign)):
                self.loosen(receiver.instance if isinstance(receiver, SuperValue) else receiver)
            return found
        return self.eval(node, env)

    def _call(self, node: ast.Call, env: Environment) -> Value:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.keywords:
            if not node.args:
                return self._super(env)
            if len(node.args) == 2:
                cls, instance = (self.eval(arg, env) for arg in node.args)
                if isinstance(cls, ClassValue) and isinstance(instance, Instance):
                    return SuperValue(cls.entity, instance)
                return UNKNOWN
        callee = self.callee(node.func, env)
        if isinstance(callee, FunctionValue) and callee.is_async:
            # Whoever gets the coroutine runs it.
            self.hand_out(callee)
        if node.args:
            self.first_user = (node.args[0], comprehensions.taking(node, callee))
        return self.call(callee, self.arguments(node, env), node, env)

    def _super(self, env: Environment) -> Value:
        current: Environment | None = env
        while current is not None:
            function = current.function
            if (
                function is not None
                and function.owner is not None
                and not isinstance(function.node, ast.Lambda)
            ):
                arguments = function.node.args
                first = [*arguments.posonlyargs, *arguments.args][:1]
                instance = current.names.get(first[0].arg) if first else None
                if isinstance(instance, Instance):
                    return SuperValue(function.owner, instance)
                return UNKNOWN
            current = current.parent
        return UNKNOWN

    def _await(self, node: ast.Await, env: Environment) -> Value:
        value, callee = self.eval_with_callee(node.value, env)
        return self.await_value(value, node, env, callee)

    def eval_with_callee(self, node: ast.expr, env: Environment) -> tuple[Value, Value | None]:
        """The value of an expression and, if that is a call, what was called."""
        if not isinstance(node, ast.Call) or (isinstance(node.func, ast.Name) and node.func.id == "super"):
            return self.eval(node, env), None
        callee = self.callee(node.func, env)
        return self.call(callee, self.arguments(node, env), node, env), callee

    def _operation(self, env: Environment, value: Value, node: ast.expr, error: str) -> Value:
        return self.fail(env, Misuse.COROUTINE_OPERATION, value, node, error)

    def _binary(self, node: ast.BinOp, env: Environment) -> Value:
        left, right = self.eval(node.left, env), self.eval(node.right, env)
        return self.operation(node.op, (node.left, node.right), left, right, env)

    def operation(
        self, op: ast.operator, nodes: tuple[ast.expr, ast.expr], left: Value, right: Value, env: Environment
    ) -> Value:
        """``left + right`` and the like."""
        if isinstance(op, ast.Mod) and isinstance(left, Literal) and isinstance(left.value, (str, bytes)):
            self.may_raise_for("TypeError", "ValueError", "KeyError")
            return UNKNOWN
        name, sign = _OPERATORS[type(op)]
        self.operated(left, f"__{name}__")
        self.operated(right, f"__r{name}__")
        self.note_name(left, right, nodes[0], env)
        self.note_name(right, left, nodes[1], env)
        for operand, other, side, magic in (
            (left, right, nodes[0], f"__{name}__"),
            (right, left, nodes[1], f"__r{name}__"),
        ):
            if isinstance(operand, Mock):
                if not operand.certain:
                    return UNKNOWN
                supported = self.shapes.supports(operand, magic)
                if supported is None:
                    return UNKNOWN
                if supported:
                    return self.call_magic(operand, magic, Arguments.of(other), side, env)
        error = f"unsupported operand type(s) for {sign}: {kind_of(left)!r} and {kind_of(right)!r}"
        for operand, other, side in ((left, right, nodes[0]), (right, left, nodes[1])):
            if isinstance(operand, Coroutine):
                return self._operation(env, operand, side, error)
            if isinstance(operand, Mock) and isinstance(other, (Literal, Sequence_, Mapping_, Mock)):
                return self.fail(env, Misuse.OPERATION, operand, side, error)
        number = worked_out(op, left, right) or (
            plain.added(left, right) if isinstance(op, ast.Add) else None
        )
        if number is not None:
            return number
        if isinstance(left, Literal) and isinstance(right, Literal) and _is_refused(op, left, right):
            self.may_raise()
            return UNKNOWN
        self.may_raise_for("TypeError")
        if isinstance(op, (ast.Div, ast.FloorDiv, ast.Mod)):
            self.may_raise_for("ZeroDivisionError", "ArithmeticError")
        if isinstance(left, Sequence_) and isinstance(right, Sequence_) and left.kind == right.kind:
            if isinstance(op, ast.Add) and left.items is not None and right.items is not None:
                return Sequence_.of(left.kind, (*left.items, *right.items))
        return one_of((part_of(left), part_of(right)))

    def decide(self, node: ast.expr, env: Environment) -> bool | None:
        """The truth of a condition; None when it is not known."""
        return self._truth_of(self.eval(node, env), node, env)

    def _truth_of(self, value: Value, node: ast.expr, env: Environment) -> bool | None:
        if isinstance(value, Coroutine):
            self.note(env, Misuse.COROUTINE_TRUTH, value, node, "a coroutine is always true")
        return self.truth(value)

    def _boolean(self, node: ast.BoolOp, env: Environment) -> Value:
        *operands, final = node.values
        for index, operand in enumerate(operands):
            value = self.eval(operand, env)
            truth = self._truth_of(value, operand, env)
            if truth is isinstance(node.op, ast.Or):
                return value
            if truth is None:
                values = [value]
                self.fork([partial(self._each, node.values[index + 1 :], env, values), lambda: Status.NEXT])
                return one_of(values)
        return self.eval(final, env)

    def _each(self, nodes: list[ast.expr], env: Environment, values: list[Value]) -> Status:
        for node in nodes:
            values.append(self.eval(node, env))
        return Status.NEXT

    def _unary(self, node: ast.UnaryOp, env: Environment) -> Value:
        value = self.eval(node.operand, env)
        if isinstance(node.op, ast.Not):
            truth = self._truth_of(value, node.operand, env)
            return UNKNOWN if truth is None else Literal(not truth)
        if isinstance(value, Coroutine):
            return self._operation(
                env, value, node.operand, "bad operand type for unary operator: 'coroutine'"
            )
        if isinstance(value, Mock):
            return self._unary_mock(value, node, env)
        self.operated(value, "__neg__", "__pos__", "__invert__")
        if isinstance(node.op, ast.USub) and isinstance(value, Literal):
            if isinstance(value.value, (int, float)):
                return Literal(-value.value)
        return UNKNOWN

    def _unary_mock(self, mock: Mock, node: ast.UnaryOp, env: Environment) -> Value:
        magic, sign = {
            ast.USub: ("__neg__", "-"),
            ast.UAdd: ("__pos__", "+"),
            ast.Invert: ("__invert__", "~"),
        }[type(node.op)]
        supported = self.shapes.supports(mock, magic) if mock.certain else None
        if supported is None:
            return UNKNOWN
        if supported:
            return self.call_magic(mock, magic, Arguments(), node, env)
        error = f"bad operand type for unary {sign}: {mock.type_name!r}"
        return self.fail(env, Misuse.OPERATION, mock, node.operand, error)

    def _compare(self, node: ast.Compare, env: Environment) -> Value:
        operands = (node.left, *node.comparators)
        left = self.eval(operands[0], env)
        answer: Value = UNKNOWN
        for index, op in enumerate(node.ops):
            right = self.eval(operands[index + 1], env)
            answer = self._compare_two(node, op, (operands[index], operands[index + 1]), left, right, env)
            truth = self.truth(answer) if len(node.ops) > 1 else True
            if truth is False:
                return answer
            if truth is None:
                # ``a < b < c`` goes on only where ``a < b`` holds.
                values: list[Value] = []
                self.fork(
                    [partial(self._each, list(operands[index + 2 :]), env, values), lambda: Status.NEXT]
                )
                return UNKNOWN
            left = right
        return answer

    def _compare_two(
        self,
        node: ast.Compare,
        op: ast.cmpop,
        sides: tuple[ast.expr, ast.expr],
        left: Value,
        right: Value,
        env: Environment,
    ) -> Value:
        if isinstance(op, (ast.Is, ast.IsNot, ast.Eq, ast.NotEq)):
            by_identity = isinstance(op, (ast.Is, ast.IsNot))
            for value, other in ((left, right), (right, left)):
                if isinstance(value, Coroutine) and is_never(other, identical=by_identity):
                    negative = isinstance(op, (ast.IsNot, ast.NotEq))
                    error = "a coroutine is never the value that it gives"
                    self.note(env, Misuse.COROUTINE_COMPARISON, value, node, error)
                    return Literal(negative)
        if not isinstance(op, (ast.Is, ast.IsNot)):
            for value in (left, right):
                self.operated(value, "__eq__", "__ne__", "__contains__")
        if isinstance(op, (ast.Eq, ast.NotEq)):
            self.note_name(left, right, node, env)
            self.note_name(right, left, node, env)
        if isinstance(op, (ast.Is, ast.IsNot)):
            same = identical(left, right)
            return UNKNOWN if same is None else Literal(same is isinstance(op, ast.Is))
        if isinstance(op, (ast.Eq, ast.NotEq)):
            same = equal(left, right)
            return UNKNOWN if same is None else Literal(same is isinstance(op, ast.Eq))
        if isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)):
            return self.ordering(op, sides, left, right, env)
        if isinstance(op, (ast.In, ast.NotIn)) and isinstance(right, Coroutine):
            return self.fail(env, Misuse.COROUTINE_ITERATION, right, sides[1], _NOT_A_CONTAINER)
        if isinstance(op, (ast.In, ast.NotIn)) and isinstance(right, Mock) and right.certain:
            if not any(self.shapes.supports(right, magic) is not False for magic in _CONTAINING):
                error = f"argument of type {right.type_name!r} is not iterable"
                return self.fail(env, Misuse.NOT_ITERABLE, right, sides[1], error)
            if self.in_subclass(right, "__contains__") is not Absent.MISSING:
                # That of a MagicMock's class is replaced, that of a Mock's is not.
                return UNKNOWN
            if self.shapes.supports(right, "__contains__"):
                answer = self.call_magic(right, "__contains__", Arguments.of(left), sides[1], env)
                if isinstance(answer, Literal):
                    return Literal(bool(answer.value) is isinstance(op, ast.In))
                return UNKNOWN
        if isinstance(op, (ast.In, ast.NotIn)):
            inside = contains(right, left)
            return UNKNOWN if inside is None else Literal(inside is isinstance(op, ast.In))
        return UNKNOWN

    def ordering(
        self, op: ast.cmpop, nodes: tuple[ast.expr, ast.expr], left: Value, right: Value, env: Environment
    ) -> Value:
        """``left < right``: mocks leave it to the other side unless they are told what to answer."""
        name, reflected, sign = _ORDERINGS[type(op)]
        self.operated(left, name)
        self.operated(right, reflected)
        error = f"{sign!r} not supported between instances of {kind_of(left)!r} and {kind_of(right)!r}"
        sides = ((left, right, nodes[0], name), (right, left, nodes[1], reflected))
        for value, _, side, _ in sides:
            if isinstance(value, Coroutine):
                return self._operation(env, value, side, error)
        for value, other, side, magic in sides:
            if not isinstance(value, Mock):
                continue
            supported = self.shapes.supports(value, magic) if value.certain else None
            if supported is None:
                return UNKNOWN
            if supported:
                answer = self.call_magic(value, magic, Arguments.of(other), side, env)
                if answer is not NOT_IMPLEMENTED:
                    return answer
        for value, other, side, _ in sides:
            if isinstance(value, Mock) and isinstance(other, (Literal, Sequence_, Mapping_, Mock)):
                return self.fail(env, Misuse.OPERATION, value, side, error)
        known = in_order(op, left, right)
        if known is not None:
            return Literal(known)
        self.may_raise_for("TypeError")
        return UNKNOWN

    def _conditional(self, node: ast.IfExp, env: Environment) -> Value:
        truth = self.decide(node.test, env)
        if truth is not None:
            return self.eval(node.body if truth else node.orelse, env)
        values: list[Value] = []

        def take(branch: ast.expr) -> Status:
            values.append(self.eval(branch, env))
            return Status.NEXT

        self.fork([lambda: take(node.body), lambda: take(node.orelse)])
        made = join(list(values)) if len(values) == 2 else UNKNOWN
        return made if isinstance(made, Value) else UNKNOWN

    def _subscript(self, node: ast.Subscript, env: Environment) -> Value:
        value = self.eval(node.value, env)
        index = self.eval(node.slice, env)
        if isinstance(value, Coroutine):
            return self.fail(
                env, Misuse.COROUTINE_SUBSCRIPT, value, node, "'coroutine' object is not subscriptable"
            )
        if isinstance(value, Mock):
            if not value.certain:
                return UNKNOWN
            supported = self.shapes.supports(value, "__getitem__")
            if supported is None:
                return UNKNOWN
            if not supported:
                return self.fail(
                    env,
                    Misuse.NOT_SUBSCRIPTABLE,
                    value,
                    node,
                    f"{value.type_name!r} object is not subscriptable",
                )
            return self.call_magic(value, "__getitem__", Arguments.of(index), node, env)
        if isinstance(value, ClassValue) and constructors.is_generic(self, value.entity):
            return value
        if isinstance(value, Literal):
            return plain.item(self, value, index)
        if isinstance(value, Sequence_) and isinstance(index, Literal) and value.items is not None:
            if isinstance(index.value, int) and value.kind in ("list", "tuple"):
                if -len(value.items) <= index.value < len(value.items):
                    return value.items[index.value]
                self.may_raise()
                return UNKNOWN
        if isinstance(value, Mapping_):
            known = value.get(index)
            if known is not None:
                return known
            if not value.is_open and value.slot(index) is not None:
                self.may_raise()
                return UNKNOWN
        if isinstance(value, Instance):
            read = self.instance_attribute(value, "__getitem__")
            if isinstance(read, FunctionValue):
                return self.call_function(read, Arguments.of(index), node, env)
            self.loosen(value)
        self.may_raise_for(*ITEM_ERRORS)
        if isinstance(value, Foreign):
            return Foreign(f"{value.dotted}[]")
        return part_of(value)

    def _slice(self, node: ast.Slice, env: Environment) -> Value:
        for part in (node.lower, node.upper, node.step):
            if part is not None:
                self.eval(part, env)
        return UNKNOWN

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set, env: Environment) -> Value:
        kind = {ast.List: "list", ast.Tuple: "tuple", ast.Set: "set"}[type(node)]
        items: list[Value] = []
        known = True
        for element in node.elts:
            if isinstance(element, ast.Starred):
                self.first_user = (element.value, Taking.ALL)
                inner = self.eval(element.value, env)
                error = "Value after * must be an iterable, not coroutine"
                more = self.items(inner, element.value, env, error)
                known = known and more is not None
                items.extend(more if more is not None else [part_of(inner)])
            else:
                items.append(self.eval(element, env))
        if kind == "set":
            return as_set(items if known else None, items)
        return Sequence_.of(kind, items) if known else Sequence_.of(kind, None, items)

    def _dict(self, node: ast.Dict, env: Environment) -> Value:
        items: dict[object, Value] = {}
        among: list[Value] = []
        is_open = False
        for key, element in zip(node.keys, node.values, strict=True):
            value = self.eval(element, env)
            if key is None:
                if isinstance(value, Mapping_) and not value.is_open:
                    items.update(value.items())
                else:
                    is_open = True
                    among.append(part_of(value))
                continue
            known = self.eval(key, env)
            if isinstance(known, Literal) and Mapping_.slot(known) is not None:
                items[known.value] = value
            else:
                is_open = True
                among.append(value)
        made = Mapping_.of(items, is_open=is_open)
        if among:
            # One of them may have the key of another.
            self.scatter(made, *among)
        return made

    def _lambda(self, node: ast.Lambda, env: Environment) -> Value:
        made = FunctionValue(node, env.unit, env.module, env, "<lambda>", defaults=self.defaults(node, env))
        self.hand_out(made)
        return made

    def defaults(
        self, node: ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef, env: Environment
    ) -> dict[str, Value]:
        """What the parameters of a function inside another one have when nothing is given."""
        spec = node.args
        positional = [*spec.posonlyargs, *spec.args]
        pairs = [*zip(positional[len(positional) - len(spec.defaults) :], spec.defaults, strict=True)]
        pairs += [(arg, each) for arg, each in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if each]
        return {arg.arg: self.eval(default, env) for arg, default in pairs}

    def _joined(self, node: ast.JoinedStr, env: Environment) -> Value:
        texts: list[str | None] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                value = self.eval(part.value, env)
                texts.append(_as_text(value, part))
                self.operated(value, "__str__", "__repr__", "__format__")
                if part.format_spec is not None:
                    self.eval(part.format_spec, env)
                self.note_name(value, Literal(""), part.value, env)
                if part.format_spec is not None and part.conversion == -1 and isinstance(value, Mock):
                    self._formatted(value, part, env)
            elif isinstance(part, ast.Constant):
                texts.append(str(part.value))
        known = [text for text in texts if text is not None]
        is_known = len(known) == len(texts) and sum(map(len, known)) <= _LONGEST
        return Literal("".join(known)) if is_known else UNKNOWN

    def _formatted(self, mock: Mock, part: ast.FormattedValue, env: Environment) -> None:
        """``f"{mock:.2f}"``: ``object.__format__`` takes no format specification."""
        spec = part.format_spec
        if not isinstance(spec, ast.JoinedStr) or not any(isinstance(v, ast.Constant) for v in spec.values):
            return
        if mock.certain and self.shapes.supports(mock, "__format__") is False:
            error = f"unsupported format string passed to {mock.type_name}.__format__"
            self.fail(env, Misuse.OPERATION, mock, part.value, error)

    def _named(self, node: ast.NamedExpr, env: Environment) -> Value:
        value = self.eval(node.value, env)
        around = env
        while around.function is None and around.parent is not None:
            # Out of comprehensions.
            around = around.parent
        self.assign(node.target, value, around)
        return value

    def _starred(self, node: ast.Starred, env: Environment) -> Value:
        self.eval(node.value, env)
        return UNKNOWN

    def _yield(self, node: ast.Yield, env: Environment) -> Value:
        value = self.eval(node.value, env) if node.value is not None else Literal(None)
        raise Yielded(value, len(self.doubts))

    def _yield_from(self, node: ast.YieldFrom, env: Environment) -> Value:
        self.eval(node.value, env)
        raise Yielded(UNKNOWN, len(self.doubts))

    def _comprehension(self, node: comprehensions.Node, env: Environment) -> Value:
        inner = Environment(env.module, env.unit, {}, env, self.local_names(node), None)
        taking = Taking.ALL
        if isinstance(node, ast.GeneratorExp):
            user, taking = self.first_user or (None, Taking.PERHAPS)
            if user is not node:
                taking = Taking.PERHAPS
        first = node.generators[0]
        source = self.eval(first.iter, env)
        items = (self.async_items if first.is_async else self.items)(source, first.iter, env)
        if isinstance(node, ast.GeneratorExp) and (
            any(generator.is_async for generator in node.generators)
            or any(isinstance(child, ast.Await) for child in ast.walk(node.elt))
        ):
            # An asynchronous generator: its elements are made when something iterates over it.
            return UNKNOWN
        if taking is Taking.PERHAPS and isinstance(node, ast.GeneratorExp):
            return comprehensions.later(self, node, inner, source, items)
        comprehension = comprehensions.Comprehension(self, node, inner, taking)
        comprehension.run(source, items)
        return comprehension.value()


def _is_refused(op: ast.operator, left: Literal, right: Literal) -> bool:
    """Does an operation with two plain values certainly raise?"""
    first, second = left.value, right.value
    if isinstance(op, (ast.Div, ast.FloorDiv, ast.Mod)) and isinstance(first, (int, float)) and second == 0:
        return True
    if not isinstance(op, (ast.Add, ast.Sub)) or first is None or second is None:
        return first is None or second is None
    return isinstance(first, (int, float)) is not isinstance(second, (int, float))


def _as_text(value: Value, part: ast.FormattedValue) -> str | None:
    """What a plain value becomes in an f-string; None where that is not known."""
    if part.format_spec is not None or part.conversion != -1 or not isinstance(value, Literal):
        return None
    return str(value.value) if isinstance(value.value, (str, int)) else None


_EXPRESSIONS: dict[type[ast.expr], Callable[..., Value]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.Attribute: Expressions._attribute,
    ast.Call: Expressions._call,
    ast.Await: Expressions._await,
    ast.BinOp: Expressions._binary,
    ast.BoolOp: Expressions._boolean,
    ast.UnaryOp: Expressions._unary,
    ast.Compare: Expressions._compare,
    ast.IfExp: Expressions._conditional,
    ast.Subscript: Expressions._subscript,
    ast.Slice: Expressions._slice,
    ast.List: Expressions._sequence,
    ast.Tuple: Expressions._sequence,
    ast.Set: Expressions._sequence,
    ast.Dict: Expressions._dict,
    ast.Lambda: Expressions._lambda,
    ast.JoinedStr: Expressions._joined,
    ast.NamedExpr: Expressions._named,
    ast.Starred: Expressions._starred,
    ast.Yield: Expressions._yield,
    ast.YieldFrom: Expressions._yield_from,
    ast.ListComp: Expressions._comprehension,
    ast.SetComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
    ast.DictComp: Expressions._comprehension,
}
