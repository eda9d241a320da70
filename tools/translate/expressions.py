"""Translates the numbers of an expression from a subset of Python to C99."""

import ast
import builtins
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, TypeVar

from microgradlib.compiling.clibrary import LIST, Size
from microgradlib.compiling.templates import ATOM, BINDINGS, NEGATION
from microgradlib.errors import CompileError
from translate.prelude import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    OVERFLOW,
    VALUE,
    WHOLE,
    ZERO_DIVISION,
    number_text,
)

T = TypeVar("T")

_SUM, _COMPARISON, _CONDITIONAL = 2, 1, 0

_RESERVED = {
    *("auto", "char", "const", "default", "do", "double", "enum", "extern", "float", "goto", "int"),
    *("inline", "long", "register", "restrict", "short", "signed", "sizeof", "static", "struct"),
    *(
        "switch",
        "case",
        "typedef",
        "union",
        "unsigned",
        "void",
        "volatile",
        "failed",
        "out",
        "work",
    ),
}

_SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}

_CONSTANT = (
    *(ast.Constant, ast.Name, ast.Attribute, ast.BinOp, ast.UnaryOp),
    *(ast.operator, ast.unaryop, ast.expr_context),
)
"""What a constant expression consists of."""


class Term(NamedTuple):
    """A number in C: its text, its type, and how tightly the text binds."""

    text: str
    kind: str
    binding: int = ATOM

    def fit(self, asked: int) -> str:
        """Return the text, in parentheses where it has to bind more tightly than it does."""
        if self.text.count("\0") == 1:  # the gap of a template
            return f"{self.text} {asked}\0"
        return self.text if self.binding >= asked else f"({self.text})"

    def real(self, asked: int = _CONDITIONAL) -> str:
        """Return the text of a double."""
        if self.kind in (FLOAT, WHOLE):
            return self.fit(asked)
        return f"{self.text}.0" if self.text.isdigit() else f"(double){self.fit(ATOM)}"


class Row(NamedTuple):
    """A list in C: a pointer, how many entries it has, and how many at most."""

    pointer: str
    length: str
    size: Size


class Expressions:
    """Translates expressions; the statements that they need first go to ``lines``.

    Attributes:
        file, scope: where the source is from, and what the names of its module mean.
        variables: the Terms of the variables by name; of a list, that of its pointer.
        sizes: how many entries each list has at most.
        local: the names that are not the module's.
        lines: what has been written.
        raised: which failures there may be since the last test.
        flag: where they are noted.
    """

    def __init__(self, file: str, scope: dict[str, Any]) -> None:
        """Start without variables."""
        self.file, self.scope = file, scope
        self.variables: dict[str, Term] = {}
        self.sizes: dict[str, Size] = {}
        self.local: set[str] = set()
        self.lines: list[str] = []
        self.raised, self.flag = 0, "failed"
        self.arrays: dict[str, str] = {}
        self.temporaries = 0
        self.into = ""
        self.line = 1

    def refuse(self, node: ast.AST, what: str = "") -> NoReturn:
        """Raise an error for what is outside the subset."""
        line = getattr(node, "lineno", self.line)
        raise CompileError(f"{self.file}:{line}: no C form of {what or ast.unparse(node)}")

    def own_name(self, name: str) -> str:
        """Return the name in C of a variable."""
        return f"{name}_" if name in _RESERVED else name

    def temporary(self, hint: str = "t") -> str:
        """Return a new name."""
        self.temporaries += 1
        return f"{hint}{self.temporaries}_"

    def inside(self, write: Callable[..., T], *arguments: Any) -> tuple[T, list[str]]:
        """Return the result, and the lines that were written for it."""
        outer, self.lines = self.lines, []
        try:
            return write(*arguments), self.lines
        finally:
            self.lines = outer

    def indented(self, head: str, lines: list[str]) -> None:
        """Write a block."""
        self.lines += [f"{head} {{", *[f"    {line}" for line in lines]]

    def kept(self, value: Any, always: bool = False) -> Any:
        """Keep a number in a variable of its own, if it is not a variable or a constant."""
        if not isinstance(value, Term) or (
            value.binding == ATOM and "(" not in value.text and not always
        ):
            return value
        kind = INT if value.kind == WHOLE else value.kind
        text = value.real() if kind == FLOAT else self.integer(value)
        name = self.temporary()
        self.lines.append(f"{kind} {name} = {text};")
        return Term(name, kind)

    def integer(self, x: Term, asked: int = _CONDITIONAL) -> str:
        """Return the text of an integer."""
        if x.kind == FLOAT:
            self.refuse(ast.Pass(), f"{x.text} as an int")
        if x.kind != WHOLE:
            return x.fit(asked)
        self.raised |= OVERFLOW
        return f"mg_to_int({x.text}, {self.flag})"

    def value(self, node: ast.expr, into: str = "") -> Any:
        """Return a Term or a Row, or a list of them for a tuple; a list may be written ``into``."""
        known = self.constant(node)
        if isinstance(known, tuple | list):
            return self._array(node, known)
        if known is not None:
            if isinstance(known, int) and abs(known) >= 2**31:
                self.refuse(node)
            text = number_text(known)
            kind = {bool: BOOL, int: INT}.get(type(known), FLOAT)
            return Term(text, kind, NEGATION if text.startswith("-") else ATOM)
        self.into = into
        return getattr(self, f"_{type(node).__name__.lower()}", self.refuse)(node)

    def gathered(self, values: list[Any], own: str) -> Row:
        """Write numbers and the entries of lists one after the other."""
        raise NotImplementedError

    def number(self, node: ast.expr) -> Term:
        """Return a number."""
        value = self.value(node)
        return value if isinstance(value, Term) and value.kind != NONE else self.refuse(node)

    def resolve(self, node: ast.expr) -> Any:
        """Return the object that a name of the module refers to, or None."""
        if isinstance(node, ast.Name) and node.id not in self.local:
            return self.scope.get(node.id, getattr(builtins, node.id, None))
        return (
            getattr(self.resolve(node.value), node.attr, None)
            if isinstance(node, ast.Attribute)
            else None
        )

    def constant(self, node: ast.expr) -> Any:
        """Return the value of a constant expression, or None."""
        parts = [*ast.walk(node)]
        if not all(isinstance(x, _CONSTANT) for x in parts):
            return None
        if any(isinstance(x, ast.Name) and self.resolve(x) is None for x in parts):
            return None
        try:
            made = ast.fix_missing_locations(ast.Expression(node))
            value = eval(compile(made, self.file, "eval"), self.scope)
        except (ArithmeticError, AttributeError, TypeError):
            return None
        return value if isinstance(value, int | float | tuple | list) else None

    def _array(self, node: ast.expr, values: tuple[Any, ...] | list[Any]) -> Row:
        """Define the floats of a constant of the module."""
        name = f"mg_{ast.unparse(node).replace('.', '_')}"
        texts = ",\n    ".join([number_text(x) for x in values if type(x) is float])
        text = f"static const double {name}[{len(values)}] = {{\n    {texts},\n}};"
        if texts.count("\n") != len(values) - 1 or self.arrays.setdefault(name, text) != text:
            self.refuse(node)
        return Row(name, str(len(values)), (len(values), 0))

    def _name(self, node: ast.Name) -> Term | Row:
        term = self.variables.get(node.id) or self.refuse(node)
        return Row(term.text, f"{term.text}_n", self.sizes[node.id]) if term.kind == LIST else term

    def _binop(self, node: ast.BinOp) -> Term | Row:
        x, y, kind = self.value(node.left), self.value(node.right), type(node.op)
        if isinstance(x, Row) and isinstance(y, Row) and kind is ast.Add:
            return self.gathered([x, y], self.temporary("list"))
        if not (isinstance(x, Term) and isinstance(y, Term)):
            self.refuse(node)
        floats = kind in (ast.Div, ast.Pow) or FLOAT in (x.kind, y.kind)
        if kind in (ast.Div, ast.Mod, ast.FloorDiv) and not self.constant(node.right):
            self.raised |= ZERO_DIVISION  # of a constant other than 0 it is not
            text = (
                f"({y.real()}, {self.flag})" if floats else f"_int({self.integer(y)}, {self.flag})"
            )
            y = Term(f"mg_nonzero{text}", FLOAT if floats else INT)
        if kind in _SIGNS:
            binding, result = BINDINGS[kind], FLOAT if floats else INT
            a = x.real(binding) if floats else self.integer(x, binding)
            b = y.real(binding + 1) if floats else self.integer(y, binding + 1)
            return Term(f"{a} {_SIGNS[kind]} {b}", result, binding)
        if kind is ast.Pow and FLOAT in (x.kind, y.kind):
            self.raised |= VALUE | OVERFLOW | ZERO_DIVISION
            return Term(f"mg_pow_operator({x.real()}, {y.real()}, {self.flag})", FLOAT)
        if kind is ast.Mod and floats:
            return Term(f"mg_mod({x.real()}, {y.real()})", FLOAT)
        if kind in (ast.Mod, ast.FloorDiv) and not floats:
            return Term(
                f"mg_{kind.__name__.lower()}_int({self.integer(x)}, {self.integer(y)})", INT
            )
        return self.refuse(node)

    def _unaryop(self, node: ast.UnaryOp) -> Term:
        if isinstance(node.op, ast.Not):
            return Term(f"!{self.truth(node.operand).fit(ATOM)}", BOOL, NEGATION)
        x = self.number(node.operand)
        if not isinstance(node.op, ast.USub):
            self.refuse(node)
        text = x.real(NEGATION + 1) if x.kind == FLOAT else self.integer(x, NEGATION + 1)
        return Term(f"-{text}", FLOAT if x.kind == FLOAT else INT, NEGATION)

    def truth(self, node: ast.expr) -> Term:
        """Return whether a value counts as true."""
        if isinstance(node, ast.BoolOp):
            return self._joined(node)
        value = self.value(node)
        if isinstance(value, Row):
            value = Term(value.length, INT)
        if not isinstance(value, Term) or value.kind == BOOL:
            return value if isinstance(value, Term) else self.refuse(node)
        zero = "0" if value.kind == INT else "0.0"
        return Term(f"{value.fit(_SUM)} != {zero}", BOOL, _COMPARISON)

    def _boolop(self, node: ast.BoolOp) -> Term:
        if not all(isinstance(x, ast.Compare | ast.BoolOp) for x in node.values):
            self.refuse(node)  # the result is one of the values
        return self._joined(node)

    def _joined(self, node: ast.BoolOp) -> Term:
        """Return one text, or a variable that statements assign, where a part needs them."""
        (first, before), *others = [self.inside(self.truth, x) for x in node.values]
        self.lines += before
        every = isinstance(node.op, ast.And)
        if not any(lines for _, lines in others):
            texts = [x.fit(_COMPARISON) for x in (first, *[x for x, _ in others])]
            return Term((" && " if every else " || ").join(texts), BOOL, _CONDITIONAL)
        name = self.temporary()
        self.lines.append(f"int {name} = {first.text};")
        for x, lines in others:
            self.indented(f"if ({'!' * (not every)}{name})", [*lines, f"{name} = {x.text};"])
            self.lines.append("}")
        return Term(name, BOOL)

    def _ifexp(self, node: ast.IfExp) -> Term:
        test = self.truth(node.test)
        found = [self.inside(self.number, part) for part in (node.body, node.orelse)]
        kind = FLOAT if FLOAT in [x.kind for x, _ in found] else INT
        a, b = [
            x.real(_COMPARISON) if kind == FLOAT else self.integer(x, _COMPARISON) for x, _ in found
        ]
        if not any(lines for _, lines in found):
            return Term(f"{test.fit(_COMPARISON)} ? {a} : {b}", kind, _CONDITIONAL)
        name = self.temporary()
        self.lines.append(f"{kind} {name};")
        self.indented(f"if ({test.text})", [*found[0][1], f"{name} = {a};"])
        self.indented("} else", [*found[1][1], f"{name} = {b};"])
        self.lines.append("}")
        return Term(name, kind)

    def _compare(self, node: ast.Compare) -> Term:
        first, *others = [self.number(x) for x in (node.left, *node.comparators)]
        operands = [first, *[self.kept(x) for x in others[:-1]], others[-1]]
        floats = any(x.kind in (FLOAT, WHOLE) for x in operands)
        texts = [x.real(_SUM) if floats else x.fit(_SUM) for x in operands]
        signs = [_SIGNS.get(type(op)) or self.refuse(node) for op in node.ops]
        parts = [f"{x} {sign} {y}" for x, sign, y in zip(texts, signs, texts[1:], strict=False)]
        return Term(" && ".join(parts), BOOL, _COMPARISON if len(parts) == 1 else _CONDITIONAL)
