"""Templates: Python source with gaps for operands, and where operands need parentheses."""

import ast
import functools
from collections.abc import Iterator

from microgradlib.compiling.forms import SOURCES


class Template:
    """Source with gaps for operands: ``{} + {}``. Equal templates are one object.

    Attributes:
        pieces: the text before, between and after the gaps.
        gaps: for each gap the number of the operand, and how tightly that must bind.
        binding: how tightly the whole binds.
        risky: whether it may raise.
        lazy: whether it may leave operands out.
        function: the name of a function, if it is called with all operands.
    """

    __slots__ = ("binding", "function", "gaps", "lazy", "pieces", "plain", "risky")

    def __init__(
        self,
        pieces: tuple[str, ...],
        gaps: tuple[tuple[int, int], ...],
        binding: int,
        function: str = "",
    ) -> None:
        """Keep the parts."""
        self.function = function
        self.pieces = pieces
        self.gaps = gaps
        self.binding = binding
        self.plain = [i for i, _ in gaps] == list(range(len(gaps)))  # one gap for each operand
        text = " ".join(pieces)
        self.risky = any(sign in text for sign in ("(", "[", "/", "%", "**"))
        self.lazy = " if " in text


# How tightly expressions bind. One that binds less than its place asks for gets parentheses.
ATOM, _POWER, NEGATION, _PRODUCT, _SUM, _COMPARISON, _CONDITIONAL = 6, 5, 4, 3, 2, 1, 0
BINDINGS: dict[type[ast.AST], int] = {
    ast.Add: _SUM,
    ast.Sub: _SUM,
    ast.Mult: _PRODUCT,
    ast.Div: _PRODUCT,
    ast.Mod: _PRODUCT,
    ast.Pow: _POWER,
}


def _binding(expression: ast.expr) -> int:
    if isinstance(expression, ast.BinOp):
        return BINDINGS[type(expression.op)]
    if isinstance(expression, ast.UnaryOp):
        return NEGATION
    if isinstance(expression, ast.Compare | ast.BoolOp):
        return _COMPARISON
    return _CONDITIONAL if isinstance(expression, ast.IfExp) else ATOM


def _asked(expression: ast.expr) -> Iterator[tuple[ast.expr, int]]:
    """Yield the parts of an expression, and how tightly each has to bind."""
    own = _binding(expression)
    if isinstance(expression, ast.BinOp):
        yield expression.left, ATOM if isinstance(expression.op, ast.Pow) else own
        yield expression.right, own + 1
    elif isinstance(expression, ast.Call):
        yield from ((argument, _CONDITIONAL) for argument in expression.args)
    elif isinstance(expression, ast.IfExp):
        yield from ((part, _COMPARISON) for part in (expression.body, expression.test))
        yield expression.orelse, _CONDITIONAL
    else:
        for part in ast.iter_child_nodes(expression):
            if isinstance(part, ast.expr):
                yield part, min(own + 1, ATOM)


@functools.cache  # equal source of two primitives is one instruction
def template(source: str, names: tuple[str, ...]) -> Template:
    """Return the template of an expression in the given names."""
    root = ast.parse(source, mode="eval").body
    gaps = []
    parts = [(root, _CONDITIONAL)]
    for part, asked in parts:  # the loop appends to this list
        if isinstance(part, ast.Name) and part.id in names:
            gaps.append((part.col_offset, names.index(part.id), asked))
        else:
            parts += _asked(part)
    pieces, end = [], 0
    for start, i, _ in sorted(gaps):
        pieces.append(source[end:start])
        end = start + len(names[i])
    operands = tuple([(i, asked) for _, i, asked in sorted(gaps)])
    return Template((*pieces, source[end:]), operands, _binding(root))


@functools.cache
def statements(name: str, count: int) -> list[Template]:
    """Return the statements of a primitive; operands are its inputs, then earlier results."""
    names = list("xyzw"[:count])
    result = []
    for statement in SOURCES[name].split("; "):
        target, _, expression = statement.rpartition(" = ")
        result.append(template(expression, tuple(names)))
        names.append(target)
    return result


NEGATIVE = template("-x", ("x",))


@functools.cache
def call(function: str, count: int, listed: bool = False) -> Template:
    """Return the template of a call with any number of operands, or with a list of them."""
    between = (", ",) * (count - 1)
    gaps = tuple((i, 0) for i in range(count))
    left, right = ("([", "])") if listed else ("(", ")")
    return Template((f"{function}{left}", *between, right), gaps, ATOM, function)


def is_entry(template: Template) -> bool:
    """Whether an instruction only takes one of several numbers."""
    return template.pieces[0] == "" and template.pieces[-1].startswith("[")


def place_of(template: Template) -> int:
    """Return which of several numbers such an instruction takes."""
    return int(template.pieces[1][1:-1])


@functools.cache
def entry(position: int) -> Template:
    """Return the template of an entry of a list."""
    return Template(("", f"[{position}]"), ((0, ATOM),), ATOM)
