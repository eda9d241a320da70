"""Translates the statements of a function from a subset of Python to C99."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from types import FunctionType
from typing import Any

from microgradlib.compiling.clibrary import LIST, Signature, Size
from translate.calls import Calls, added, larger, named
from translate.expressions import Row, Term
from translate.prelude import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    OVERFLOW,
    VALUE,
    WHOLE,
    ZERO_DIVISION,
    Definition,
    c_name,
)

CAPACITY = 128
"""The entries of a list whose length has no known bound: Python takes over where there are more."""

_TYPES = {
    "float": FLOAT,
    "int": INT,
    "bool": BOOL,
    "None": NONE,
    **dict.fromkeys(("list", "tuple", "Sequence"), LIST),
}
_RAISED = {
    "ValueError": VALUE,
    "OverflowError": OVERFLOW,
    "ZeroDivisionError": ZERO_DIVISION,
    "ArithmeticError": OVERFLOW | ZERO_DIVISION,
}


class Statements(Calls):
    """Translates the statements of one function.

    Attributes:
        assumed: what a call of the function itself is taken to raise.
        called: whether there is such a call.
        fails: what the function may raise.
        size: how many entries the list has that it returns.
        loose: the lists whose length has no known bound.
        loaded: the names that are read.
    """

    def __init__(
        self,
        function: FunctionType,
        find: Callable[[Any], Signature],
        assumed: int = 0,
        loose: frozenset[str] = frozenset(),
    ) -> None:
        """Read the source, and find the parameters and which lists have no bound."""
        lines, first = inspect.getsourcelines(function)
        file = inspect.getsourcefile(function) or ""
        super().__init__(file, function.__globals__, self._signature)
        (node,) = ast.parse(textwrap.dedent("".join(lines))).body
        assert isinstance(node, ast.FunctionDef)
        self.find = find
        self.node, self.function = ast.increment_lineno(node, first - 1), function
        self.assumed, self.fails, self.called = assumed, 0, False
        self.size: Size = (0, 0)
        self.caught = False  # within a try statement
        given = {x.arg: self._kind(x.annotation) for x in node.args.args}
        if node.args.vararg:
            given[node.args.vararg.arg] = LIST
        self.given = given
        self.result = self._kind(node.returns)
        self.loaded = _names(node, ast.Load)
        self.local = {*given} | _names(node, ast.Store)
        self.known_loose, self.loose = loose, {*loose}
        self.loops = 0
        for name, kind in given.items():
            self.variables[name] = Term(self.own_name(name), kind)
            self.sizes[name] = (0, 1)

    def _kind(self, annotation: ast.expr | None) -> str:
        text = ast.unparse(annotation) if annotation else "nothing"
        return _TYPES.get(text.split("[")[0]) or self.refuse(self.node, f"the type {text}")

    def _signature(self, function: Callable[..., Any]) -> Signature:
        if function is not self.function:
            return self.find(function)
        self.called = True
        if LIST in (*self.given.values(), self.result):
            self.refuse(self.node, "a function of lists that calls itself")
        return Signature(c_name(function), tuple(self.given.values()), self.result, self.assumed)

    def define(self) -> Definition:
        """Return the definition."""
        self.statements(self.node.body)
        self.fails |= self.raised
        given, head, counts, written = [], [], [], "\n".join(self.lines)
        for name, kind in self.given.items():
            text = self.variables[name].text
            given.append(
                f"const double *{text}, int {text}_n" if kind == LIST else f"{kind} {text}"
            )
            counts += [f"{text}_n"] * (kind == LIST)
            names = [text, *[f"{text}_n"] * (kind == LIST)]
            head += [f"(void){x};" for x in names if not re.search(rf"\b{x}\b", written)]
        fixed, each = 0, 0
        for name, size in {**self.storage, "rest_": self.scratch}.items():
            if size[1]:
                head.append(f"double *{name} = work + {fixed} + {each} * ({' + '.join(counts)});")
                fixed, each = fixed + size[0], each + size[1]
            elif size[0]:
                head.append(f"double {name}[{size[0]}];")
        for name in [x for x in self.variables if x in self.loaded and x not in self.given]:
            text, kind, _ = self.variables[name]
            pointer = [f"const double *{text} = 0;", f"int {text}_n = 0;"]
            head += pointer if kind == LIST else [f"{kind} {text} = 0;"]
        star = self.node.args.vararg is not None
        found = Signature(
            *(c_name(self.function), tuple(self.given.values()), self.result, self.fails),
            *((fixed, each), self.size, star),
        )
        given += ["double *out"] * (self.result == LIST) + ["double *work"] * (each > 0)
        given += ["int *failed"] * (self.fails > 0)
        returned = "int" if self.result == LIST else self.result
        self.lines, body = [], [*head, *self.lines]
        self.indented(f"static {returned} {found.name}({', '.join(given) or 'void'})\n", body)
        text = "\n".join([*self.lines, "}"]).replace("\n {", "\n{")
        for name in re.findall(r"int (n\d+_) = mg_", text):
            if len(re.findall(rf"\b{name}\b", text)) == 1:  # a length that nobody needs
                text = text.replace(f"int {name} = ", "")
        return Definition(found, text, self.functions, self.arrays)

    # Statements.

    def statements(self, nodes: list[ast.stmt]) -> None:
        """Translate statements."""
        for node in nodes:
            self.line = node.lineno
            getattr(self, f"_{type(node).__name__.lower()}", self.refuse)(node)

    def stop(self) -> None:
        """Return where the statement has failed."""
        if self.raised and not self.caught:
            self.fails |= self.raised
            self.raised = 0
            self.lines.append(f"if (*failed) {self._nothing()}")

    def _nothing(self) -> str:
        return "return;" if self.result == NONE else "return 0;"

    def _expr(self, node: ast.Expr) -> None:
        call = node.value
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "append"
        ):
            self._extend(call.func.value, self.row(ast.List(call.args, ast.Load())))
        elif isinstance(call, ast.Call):
            self.lines.append(f"{self.value(call).text};")
        elif not isinstance(call, ast.Constant):  # a docstring
            self.refuse(node)
        self.stop()

    def _storage(self, node: ast.AST, name: str) -> str:
        """Return the name in C of a list that changes."""
        if name in self.given or name not in self.variables:
            self.refuse(node)
        return self.variables[name].text

    def _extend(self, target: ast.expr, row: Row) -> None:
        """Append to a list."""
        name = ast.unparse(target)
        own = self._storage(target, name)
        self.grown(name, added(self.sizes[name], row.size), f"{own}_n + {row.length}")
        self.lines.append(f"{own}_n += mg_copy({row.pointer}, {row.length}, {own}_own + {own}_n);")

    def grown(self, name: str, size: Size, length: str) -> None:
        """Note how many entries a list has."""
        if name in self.loose:
            size = (CAPACITY, 0)
            self.fail(f"{length} > {CAPACITY}", OVERFLOW)
            self.stop()
        self.sizes[name] = size
        self.stored(f"{self.variables[name].text}_own", "", size)

    def _assign(self, node: ast.Assign) -> None:
        (target, *_), read = node.targets, _names(node.value, ast.Load)
        written = _names(target, ast.Store)
        left, right = [x.elts if isinstance(x, ast.Tuple) else [] for x in (target, node.value)]
        if left and right and not any(isinstance(x, ast.Starred) for x in left + right):
            pairs = [*zip(left, map(self.value, right), strict=True)]
        else:
            free = isinstance(target, ast.Name) and not written & (self.loose | read)
            own = f"{self.own_name(ast.unparse(target))}_own" if free else ""
            value = self.value(node.value, own)
            pairs = [(part, value) for part in reversed(node.targets)]
        if any(isinstance(x, Row) and isinstance(part, ast.Name) for part, x in pairs):
            copied = ast.unparse(node.value) in self.sizes or (len(pairs) > 1 and read & written)
            if copied:
                self.refuse(node, "two names for one list")
        values = [self.kept(x, True) if len(pairs) > 1 else x for _, x in pairs]
        for (part, _), x in zip(pairs, values, strict=True):
            self.assign(part, x)
        self.stop()

    def _annassign(self, node: ast.AnnAssign) -> None:
        self.assign(node.target, self.value(node.value or self.refuse(node)))
        self.stop()

    def _augassign(self, node: ast.AugAssign) -> None:
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        if isinstance(self.value(read), Term):
            self.assign(node.target, self.value(ast.BinOp(read, node.op, node.value)))
        elif isinstance(node.op, ast.Add):
            self._extend(node.target, self.row(node.value))
        else:
            self.refuse(node)
        self.stop()

    def assign(self, target: ast.expr, value: Term | Row) -> None:
        """Assign to a name, an entry of a list, or several targets."""
        if isinstance(target, ast.Tuple) and isinstance(value, Row):
            self._unpack(target, value)
        elif isinstance(target, ast.Subscript) and isinstance(value, Term):
            own = self._storage(target, ast.unparse(target.value))
            self.lines.append(f"{own}_own[{self._index(target.slice)}] = {value.real()};")
        elif isinstance(target, ast.Name):
            kind = _kind_of(value)
            text, known, _ = self.variables.setdefault(
                target.id, Term(self.own_name(target.id), kind)
            )
            if known not in (kind, FLOAT) or kind == NONE or kind == LIST != known:
                self.refuse(target, f"{target.id}, first {known}, then {kind}")
            if isinstance(value, Row):
                self._assign_list(target.id, value)
            else:
                new = value.real() if known == FLOAT else self.integer(value)
                self.lines.append(
                    f"{text} = {new};" if target.id in self.loaded else f"(void)({new});"
                )
        else:
            self.refuse(target)

    def _assign_list(self, name: str, row: Row) -> None:
        text = self.variables[name].text
        if self.loops and larger(row.size, self.sizes.get(name, row.size)) != self.sizes.get(
            name, row.size
        ):
            self.loose.add(name)
        self.grown(name, row.size, row.length)
        copied = row.length
        if row.pointer != f"{text}_own":
            copied = f"mg_copy({row.pointer}, {row.length}, {text}_own)"
        self.lines += [f"{text}_n = {copied};", f"{text} = {text}_own;"]

    def _unpack(self, target: ast.Tuple, row: Row) -> None:
        count = len(target.elts)
        for i, part in enumerate(target.elts):
            if isinstance(part, ast.Starred):  # only the first may be
                rest = f"{row.length} - {count - 1}"
                self.fail(f"{rest} < 0", VALUE)
                self.stop()
                self.assign(part.value, Row(row.pointer, f"({rest})", row.size))
            else:
                behind = isinstance(target.elts[0], ast.Starred)
                index = f"{row.length} - {count - i}" if behind else f"{i}"
                self.assign(part, Term(f"{row.pointer}[{index}]", FLOAT))

    def _return(self, node: ast.Return) -> None:
        if node.value is None:
            self.lines.append("return;")
        else:
            self._returned(self.value(node.value, "out" * (self.result == LIST)))

    def _returned(self, value: Term | Row) -> None:
        if isinstance(value, Row):
            self.size = larger(self.size, value.size)
            copied = f"mg_copy({value.pointer}, {value.length}, out)"
            text = value.length if value.pointer == "out" else copied
        else:
            text = value.real() if self.result == FLOAT else self.integer(value)
        self.fails |= self.raised
        self.raised = 0
        self.lines.append(f"return {text};")

    def _raise(self, node: ast.Raise) -> None:
        made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        kind = _RAISED.get(ast.unparse(made or node)) or self.refuse(node)
        self.fails |= kind
        self.lines += [f"mg_fail({kind}, failed);", self._nothing()]

    def _tested(self, node: ast.expr) -> str:
        """Return the text of a condition that has been tested for failure."""
        test = self.truth(node)
        if self.raised:
            test = self.kept(test, True)
            self.stop()
        return test.text

    def _if(self, node: ast.If) -> None:
        test, before = self._tested(node.test), {**self.sizes}
        self.indented(f"if ({test})", self.inside(self.statements, node.body)[1])
        after, self.sizes = self.sizes, before
        if node.orelse:
            self.indented("} else", self.inside(self.statements, node.orelse)[1])
        self.lines.append("}")
        for name, size in after.items():
            self.sizes[name] = larger(size, self.sizes.get(name, size))

    def _while(self, node: ast.While) -> None:
        if node.orelse:
            self.refuse(node)
        before = {**self.sizes}
        self.loops += 1
        test, lines = self.inside(self._tested, node.test)
        leave = [*lines, f"if (!({test}))", "    break;"]
        self.indented("while (1)", [*leave, *self.inside(self.statements, node.body)[1]])
        self.lines.append("}")
        self._looped(before, None)

    def _for(self, node: ast.For) -> None:
        if node.orelse:
            self.refuse(node)
        if both := _names(node.iter, ast.Load) & _names(ast.Module(node.body, []), ast.Store):
            self.refuse(node, f"a loop that assigns {min(both)}, over which it runs")
        entries, i, before = self.entries(node.iter), self.temporary("i"), {**self.sizes}
        self.stop()

        def body() -> None:
            for target, value in named(node.target, entries.at(i)):
                self.assign(target, value)
            self.statements(node.body)

        self.loops += 1
        self.loop(i, entries, self.inside(body)[1])
        self._looped(before, entries.size)

    def _looped(self, before: dict[str, Size], size: Size | None) -> None:
        """Multiply what lists have grown by in one turn of a loop."""
        self.loops -= 1
        for name, old in before.items():
            fixed, each = [max(b - a, 0) for a, b in zip(old, self.sizes[name], strict=True)]
            if not (fixed or each):
                self.sizes[name] = old
            elif size is None or (each and size[1]):
                self.loose.add(name)
            else:
                more = fixed * size[0], fixed * size[1] + each * size[0]
                self.grown(name, added(old, more), "0")

    def _try(self, node: ast.Try) -> None:
        """Translate a return or an assignment, and what is done where it fails."""
        kinds, (statement, *more), handler = 0, node.body, node.handlers[-1:]
        if more or node.handlers[1:] or node.orelse or node.finalbody or not handler:
            self.refuse(node)
        if not isinstance(statement, ast.Return | ast.Assign):
            self.refuse(node)
        caught = handler[0].type
        for x in caught.elts if isinstance(caught, ast.Tuple) else [caught]:
            kinds |= _RAISED.get(ast.unparse(x or node)) or self.refuse(node)
        own = self.temporary("failed")
        self.lines.append(f"int {own} = 0;")
        self.flag, self.caught = f"&{own}", True
        value = self.kept(self.number(statement.value or self.refuse(node)))
        self.flag, self.caught = "failed", False
        self.raised &= ~kinds
        if self.raised:
            self.lines.append(f"if ({own} & {self.raised}) mg_fail({own}, failed);")
            self.stop()
        self.indented(f"if ({own})", self.inside(self.statements, handler[0].body)[1])
        write = self._returned if isinstance(statement, ast.Return) else self.assign
        given = [] if isinstance(statement, ast.Return) else [statement.targets[0]]
        self.indented("} else", self.inside(write, *given, value)[1])
        self.lines.append("}")


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    """Return the names that are read, or those that are assigned or appended to."""
    found = {x.id for x in ast.walk(node) if isinstance(x, ast.Name) and isinstance(x.ctx, context)}
    lists = [x.value for x in ast.walk(node) if isinstance(x, ast.Attribute) and x.attr == "append"]
    return found | {ast.unparse(x) for x in lists if context is ast.Store}


def _kind_of(value: Term | Row) -> str:
    """Return the type of a variable with this value."""
    return LIST if isinstance(value, Row) else INT if value.kind == WHOLE else value.kind
