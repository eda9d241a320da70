"""Translates lists, loops over them and calls from a subset of Python to C99."""

import ast
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from microgradlib.compiling.clibrary import LIST, Signature, Size
from microgradlib.compiling.templates import ATOM, BINDINGS
from translate.expressions import Expressions, Row, Term
from translate.prelude import BOOL, FLOAT, INT, OVERFLOW, VALUE, WHOLE, c_name

_WHOLE = {int: "trunc", round: "nearbyint", math.floor: "floor"}


class Entries(NamedTuple):
    """What a loop runs over: how many, how many at most, and what comes for a counter."""

    length: str
    size: Size | None
    at: Callable[[str], Any]


def added(a: Size, b: Size) -> Size:
    """Return the sum of two sizes."""
    return a[0] + b[0], a[1] + b[1]


def scaled(size: Size, n: Size) -> Size:
    """Return the size for lists of the size n."""
    return size[0] + size[1] * n[0], size[1] * n[1]


def larger(a: Size, b: Size) -> Size:
    """Return a size that is enough for both."""
    return max(a[0], b[0]), max(a[1], b[1])


class Calls(Expressions):
    """Translates expressions with lists and calls.

    Attributes:
        callee: finds the signature of a function.
        storage: the size of each list that is not a parameter.
        scratch: the size of what calls work with.
        functions: the functions that are called, by their names in C.
    """

    def __init__(
        self, file: str, scope: dict[str, Any], callee: Callable[[Any], Signature]
    ) -> None:
        """Start without lists."""
        super().__init__(file, scope)
        self.callee = callee
        self.storage: dict[str, Size] = {}
        self.scratch: Size = (0, 0)
        self.functions: dict[str, Callable[..., Any]] = {}

    def fail(self, condition: str, kind: int) -> None:
        """Write a failure where a condition holds."""
        self.raised |= kind
        self.lines.append(f"if ({condition}) mg_fail({kind}, {self.flag});")

    def place(self) -> str:
        """Return the name of the storage for a new list."""
        into, self.into = self.into, ""
        return into or self.temporary("list")

    def stored(self, name: str, length: str, size: Size) -> Row:
        """Return a list in storage, which is of that size at least."""
        if name != "out":
            self.storage[name] = larger(self.storage.get(name, (1, 0)), size)
        return Row(name, length, size)

    # Lists.

    def row(self, node: ast.expr) -> Row:
        """Return a list."""
        value = self.value(node)
        return value if isinstance(value, Row) else self.refuse(node)

    def _tuple(self, node: ast.Tuple | ast.List) -> Row:
        own = self.place()
        values = [
            self.row(x.value) if isinstance(x, ast.Starred) else self.value(x) for x in node.elts
        ]
        return self.gathered(values, own)

    _list = _tuple

    def gathered(self, values: list[Any], own: str) -> Row:
        """Write numbers and the entries of lists one after the other."""
        size, place, fixed = (0, 0), "", 0
        for value in values:
            if isinstance(value, Row):
                n = self.temporary("n")
                target = f"{own} + {fixed}{place}"
                self.lines.append(f"int {n} = mg_copy({value.pointer}, {value.length}, {target});")
                place, size = f"{place} + {n}", added(size, value.size)
            else:
                self.lines.append(f"{own}[{fixed}{place}] = {value.real()};")
                fixed, size = fixed + 1, added(size, (1, 0))
        length = f"({fixed}{place})" if place else str(fixed)
        return self.stored(own, length, size) if values else Row("0", "0", size)

    def _subscript(self, node: ast.Subscript) -> Term | Row:
        part = node.slice
        if isinstance(node.value, ast.Call) and self.resolve(node.value.func) is math.frexp:
            if self.constant(part) != 1:
                self.refuse(node)
            return Term(f"mg_exponent({self.number(*node.value.args).real()})", INT)
        row = self.row(node.value)
        if not isinstance(part, ast.Slice):
            last = f"{row.length} - 1" if self.constant(part) == -1 else ""
            return Term(f"{row.pointer}[{last or self._index(part)}]", FLOAT)
        ends = [x for x in (part.lower, part.upper) if x]
        if len(ends) != 1 or part.step:
            self.refuse(node)
        end = self.temporary("n")
        self.lines.append(f"int {end} = mg_smaller({self._index(ends[0])}, {row.length});")
        if part.upper:
            return Row(row.pointer, end, row.size)
        return Row(f"({row.pointer} + {end})", f"({row.length} - {end})", row.size)

    def _index(self, node: ast.expr) -> str:
        """Return the text of an index, which must not be negative."""
        text = self.integer(self.number(node))
        return self.refuse(node, f"the index {text}") if text.startswith("-") else text

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp) -> Row:
        own, n = self.place(), self.temporary("n")
        self.lines.append(f"int {n} = 0;")
        size = self._run(node, lambda entry: f"{own}[{n}++] = {self.number(entry).real()};")
        return self.stored(own, n, size or self.refuse(node))

    _generatorexp = _listcomp

    def _run(
        self, node: ast.ListComp | ast.GeneratorExp, write: Callable[[ast.expr], str]
    ) -> Size | None:
        """Write the loop of a comprehension; return how often it runs at most."""
        (generator, *more), outer = node.generators, {**self.variables}
        entries, i = self.entries(generator.iter), self.temporary("i")

        def body() -> None:
            for target, x in named(generator.target, entries.at(i)):
                self.variables[ast.unparse(target)] = self.kept(x, True)
            for test in generator.ifs:
                self.lines.append(f"if (!({self.truth(test).text})) continue;")
            self.lines.append(write(node.elt))

        if more:
            self.refuse(node)
        self.loop(i, entries, self.inside(body)[1])
        self.variables = outer
        return entries.size

    def loop(self, i: str, entries: Entries, lines: list[str]) -> None:
        """Write a loop."""
        self.indented(f"for (int {i} = 0; {i} < {entries.length}; {i}++)", lines)
        self.lines.append("}")

    def entries(self, node: ast.expr) -> Entries:
        """Return what a loop runs over."""
        function = self.resolve(node.func) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and function in (range, reversed, enumerate, zip):
            return getattr(self, f"_over_{function.__name__}")(node)  # type: ignore[no-any-return]
        row = self.row(node)
        return Entries(row.length, row.size, lambda i: Term(f"{row.pointer}[{i}]", FLOAT))

    def _over_range(self, node: ast.Call) -> Entries:
        ends = [self.kept(self.number(x)) for x in node.args[:2]]
        first, last = [self.integer(x, BINDINGS[ast.Mult]) for x in [Term("0", INT), *ends][-2:]]
        step = self.constant(node.args[2]) if len(node.args) == 3 else 1
        if step == 1:
            return Entries(
                f"{last} - {first}", None, lambda i: Term(f"{first} + {i}", INT, BINDINGS[ast.Add])
            )
        if step == -1:
            return Entries(
                f"{first} - {last}", None, lambda i: Term(f"{first} - {i}", INT, BINDINGS[ast.Add])
            )
        return self.refuse(node)

    def _over_reversed(self, node: ast.Call) -> Entries:
        inner = self.entries(node.args[0])
        return inner._replace(at=lambda i: inner.at(f"({inner.length} - 1 - {i})"))

    def _over_enumerate(self, node: ast.Call) -> Entries:
        inner = self.entries(node.args[0])
        start = self.kept(self.number(node.args[1])).text if node.args[1:] else "0"
        return inner._replace(
            at=lambda i: [Term(f"{start} + {i}", INT, BINDINGS[ast.Add]), inner.at(i)]
        )

    def _over_zip(self, node: ast.Call) -> Entries:
        parts, n = [self.entries(x) for x in node.args], self.temporary("n")
        self.lines.append(f"int {n} = {parts[0].length};")
        for part in parts[1:]:
            if any(self.constant(x.value) for x in node.keywords):  # strict
                self.fail(f"{n} != {part.length}", VALUE)
            self.lines.append(f"if ({n} > {part.length}) {n} = {part.length};")
        size = min([x.size for x in parts if x.size], key=lambda size: size[::-1], default=None)
        return Entries(n, size, lambda i: [x.at(i) for x in parts])

    # Calls.

    def _call(self, node: ast.Call) -> Any:
        function = self.resolve(node.func)
        if function is None or node.keywords:
            self.refuse(node)
        if function in (all, any):
            return self._quantified(node, function is all)
        if function is len:
            return Term(self.row(node.args[0]).length, INT)
        if function in (max, min):
            return self._extreme(node, c_name(function))
        if function in (int, float, round, math.floor):
            x = self.number(*node.args)
            if x.kind != FLOAT or function is float:
                return x if x.kind == FLOAT or function is not float else Term(x.real(), FLOAT)
            self.raised |= VALUE | OVERFLOW
            return Term(f"mg_whole({_WHOLE[function]}({x.real()}), {self.flag})", WHOLE)
        return self._apply(node, function)

    def _apply(self, node: ast.Call, function: Any) -> Term | Row:
        """Call a function that has a C form."""
        own, signature = self.place(), self.callee(function)
        self.functions[signature.name] = function
        kinds, given = signature.parameters, [*node.args]
        if signature.star:
            rest = given[len(kinds) - 1 :]
            only = rest[0] if len(rest) == 1 else None
            listed = only.value if isinstance(only, ast.Starred) else ast.List(rest, ast.Load())
            given[len(kinds) - 1 :] = [listed]
        defaults = (getattr(function, "__defaults__", None) or ())[len(given) - len(kinds) :]
        given += [ast.Constant(x) for x in defaults[: len(kinds) - len(given)]]
        if len(given) != len(kinds):
            self.refuse(node)
        texts, n = [], (0, 0)
        for kind, argument in zip(kinds, given, strict=True):
            if kind == LIST:
                row = self.row(argument)
                texts += [row.pointer, row.length]
                n = added(n, row.size)
            else:
                x = self.number(argument)
                texts.append(x.real() if kind == FLOAT else self.integer(x))
        work, size = scaled(signature.work, n), scaled(signature.size, n)
        self.scratch = larger(self.scratch, work)
        self.raised |= signature.fails
        if signature.result != LIST:
            return Term(signature.call(texts, "", "rest_", self.flag), signature.result)
        length = self.temporary("n")
        self.lines.append(f"int {length} = {signature.call(texts, own, 'rest_', self.flag)};")
        return self.stored(own, length, size)

    def _extreme(self, node: ast.Call, name: str) -> Term:
        """Translate max and min."""
        starred = any(isinstance(x, ast.Starred) for x in node.args)
        if starred or len(node.args) == 1:
            row = self.row(ast.List(node.args, ast.Load()) if starred else node.args[0])
            self.raised |= VALUE
            return Term(f"{name}_of({row.pointer}, {row.length}, {self.flag})", FLOAT)
        first, *others = [self.number(x) for x in node.args]
        for x in others:
            if FLOAT in (first.kind, x.kind):
                first = Term(f"{name}({first.real()}, {x.real()})", FLOAT)
            else:
                first = Term(f"{name}_int({self.integer(first)}, {self.integer(x)})", INT)
        return first

    def _quantified(self, node: ast.Call, every: bool) -> Term:
        """Translate all and any of a comprehension."""
        (generator,), name = node.args, self.temporary()
        if not isinstance(generator, ast.GeneratorExp | ast.ListComp):
            self.refuse(node)
        self.lines.append(f"int {name} = {int(every)};")

        def test(entry: ast.expr) -> str:
            stop = f"{{ {name} = {int(not every)}; break; }}"
            met = self.truth(entry)
            return f"if ({f'!{met.fit(ATOM)}' if every else met.text}) {stop}"

        self._run(generator, test)
        return Term(name, BOOL)


def named(target: ast.expr, value: Any) -> Iterator[tuple[ast.expr, Term]]:
    """Yield the targets in a target with their values."""
    if isinstance(target, ast.Tuple):
        for part, x in zip(target.elts, value, strict=True):
            yield from named(part, x)
    else:
        yield target, value
