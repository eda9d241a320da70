"""The mutants of the library: each is a module with one small change.

The changes are those of mutmut, and a base class dropped. A mutant is known by the function that it
is in and by the kind of its change: neither quotes the source.
"""

import ast
import difflib
import itertools
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
import libcst.matchers as m
from libcst.metadata import (
    MetadataWrapper,
    PositionProvider,
    WhitespaceInclusivePositionProvider,
)
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

SOURCE = Path(__file__).parents[2] / "src" / "microgradlib"

Key = tuple[str, str]  # a function and a kind of change


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    module: str  # below the package, like core.value
    function: str  # with its room, like core.Value.backward
    kind: str  # of change, like "+ to -"
    original: str
    code: str

    @property
    def key(self) -> Key:
        """What the mutant is known by."""
        return self.function, self.kind

    def __str__(self) -> str:
        old, new = self.original.splitlines(), self.code.splitlines()
        lines = list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]
        return f"{self.module}: {self.function}: {self.kind}\n" + "\n".join(lines)


def all_modules() -> list[str]:
    """Return the modules that contain more than a docstring."""
    return [
        name_of(path)
        for path in sorted(SOURCE.rglob("*.py"))
        if len(ast.parse(path.read_text(encoding="utf-8")).body) > 1
    ]


def name_of(path: Path) -> str:
    """Return a module's name below the package; a room's own name is that of its __init__.py."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def path_of(module: str) -> Path:
    """Return the file of a module: the inverse of name_of."""
    path = SOURCE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def mutants(module: str) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    code = path_of(module).read_text(encoding="utf-8")
    scopes = list(definitions(module))
    starts = [0, *itertools.accumulate(map(len, code.splitlines(keepends=True)))]
    visitor = Visitor()
    wrapper = MetadataWrapper(cst.parse_module(code))
    ranges = wrapper.resolve(WhitespaceInclusivePositionProvider)
    positions = wrapper.resolve(PositionProvider)
    tree = cst.ensure_type(wrapper.visit(visitor), cst.Module)
    seen = {code}
    for mutation in visitor.mutations:
        old, new = mutation.original_node, mutation.mutated_node
        if changes_nothing(old, new):
            continue
        start, end = ranges[old].start, ranges[old].end
        text = tree.code_for_node(new)
        before = code[: starts[start.line - 1] + start.column]
        mutated = before + text + code[starts[end.line - 1] + end.column :]
        if "\n" in text:  # a node does not know its indentation; slow
            mutated = cst.ensure_type(tree.deep_replace(old, new), cst.Module).code
        if mutated not in seen:
            seen.add(mutated)
            line = positions[old].start.line  # unlike start.line, not of blank lines before it
            function = [name for name, first, last in scopes if first <= line <= last][-1]
            yield Mutant(module, function, kind_of(old, new), code, mutated)


def definitions(module: str) -> Iterator[tuple[str, int, int]]:
    """Yield what a module defines, with its first and last line, each before what it contains.

    These are functions, classes, and variables of modules and classes. Each name has its room in
    front, not its module: a function may move within the room. Other statements of the module are
    called by the room alone.
    """
    room = module.split(".")[0]
    yield room, 0, sys.maxsize
    yield from _definitions(ast.parse(path_of(module).read_text(encoding="utf-8")), room, False)


def _definitions(node: ast.AST, name: str, is_local: bool) -> Iterator[tuple[str, int, int]]:
    for child in ast.iter_child_nodes(node):
        inner, is_function = name, isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{name}.{child.name}"
        elif isinstance(child, ast.Assign | ast.AnnAssign) and not is_local:
            target = child.target if isinstance(child, ast.AnnAssign) else child.targets[0]
            first = target.elts[0] if isinstance(target, ast.Tuple) else target
            inner = f"{name}.{first.id}" if isinstance(first, ast.Name) else name
        if inner != name and isinstance(child, ast.stmt):
            yield inner, child.lineno, child.end_lineno or child.lineno
        yield from _definitions(child, inner, is_local or is_function)


def kind_of(old: cst.CSTNode, new: cst.CSTNode) -> str:
    """Name the kind of a change by the syntax before and after it.

    Operators, keywords, constants and methods are spelt out, as in ``>= to >``, ``and to or``,
    ``True to False`` or ``find to rfind``. Of what is different everywhere only the sort is named:
    ``number``, ``string``, ``argument dropped``.
    """
    match old, new:
        case cst.BaseNumber(), cst.BaseNumber():
            return "number"
        case cst.BaseString(), cst.BaseString():
            return "string"
        case cst.Name(before), cst.Name(after):
            return f"{before} to {after}"
        case cst.AugAssign(), cst.Assign():
            return f"{spell(old.operator)} to ="
        case _, cst.Assign(value=value) | cst.AnnAssign(value=value):
            return f"assigned {spell(value)}"
        case cst.Lambda(), cst.Lambda(body=body):
            return f"lambda returns {spell(body)}"
        case cst.IfExp(), cst.IfExp(test=cst.BooleanOperation(right=constant)):
            return f"condition always {spell(constant)}"
        case cst.Match(), cst.Match():
            return "case dropped"
        case cst.ClassDef(), cst.ClassDef():
            return "base dropped"
        case cst.Call(), cst.Call():
            return _kind_of_call(old, new)
        case cst.UnaryOperation(), _ if new is old.expression:
            return "not x to x" if isinstance(old.operator, cst.Not) else "~x to x"
        case cst.UnaryOperation(), cst.UnaryOperation():
            return f"{spell(old.operator)}x to {spell(new.operator)}x"
    if hasattr(old, "operator") and hasattr(new, "operator"):
        return f"{spell(old.operator)} to {spell(new.operator)}"
    return f"{spell(old)} to {spell(new)}"  # keywords: is, in, break, continue


def _kind_of_call(old: cst.Call, new: cst.Call) -> str:
    """Name the kind of a change of a function call."""
    if new.func is not old.func:
        before, after = (cst.ensure_type(call.func, cst.Attribute) for call in (old, new))
        return f"{spell(before.attr)} to {spell(after.attr)}"
    if len(new.args) < len(old.args):
        return "argument dropped"
    changed = [(a, b) for a, b in zip(old.args, new.args, strict=True) if a is not b]
    renamed = any(a.value is b.value for a, b in changed)
    return "keyword of dict" if renamed else "argument to None"


def spell(node: cst.CSTNode | None) -> str:
    """Return the source of a node, with single spaces."""
    return " ".join(cst.Module([]).code_for_node(node).split()) if node else ""


def drop_bases(node: cst.ClassDef) -> Iterator[cst.ClassDef]:
    """Yield a class without each of its bases."""
    for i in range(len(node.bases)):
        yield node.with_changes(bases=[*node.bases[:i], *node.bases[i + 1 :]])


class Visitor(MutationVisitor):
    """Find mutations everywhere: mutmut's trampolines do not reach decorated functions."""

    def __init__(self) -> None:
        operators = [*mutation_operators, (cst.ClassDef, drop_bases)]
        super().__init__(operators, IgnoredCode(set(), set(), set()))

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if is_strict(node) or is_for_type_checkers(node) or is_for_another_python(node):
            return True
        if isinstance(node, cst.FunctionDef | cst.Param):
            return False
        return super()._skip_node_and_children(node)  # annotations, decorators, len, isinstance


def is_strict(node: cst.CSTNode) -> bool:
    """Return whether a node is the ``strict`` of a zip, which only says that lengths are equal."""
    return isinstance(node, cst.Arg) and node.keyword is not None and node.keyword.value == "strict"


def is_for_type_checkers(node: cst.CSTNode) -> bool:
    """Return whether a node is a TypeVar, a TypeAlias, or the stub of an overload."""
    overload = m.Decorator(decorator=m.Name("overload"))
    stub = m.FunctionDef(decorators=[m.ZeroOrMore(), overload, m.ZeroOrMore()])
    variable = m.Assign(value=m.Call(func=m.Name("TypeVar")))
    alias = m.AnnAssign(annotation=m.Annotation(m.Name("TypeAlias")))
    return m.matches(node, m.OneOf(stub, variable, alias))


def is_for_another_python(node: cst.CSTNode) -> bool:
    """Return whether a node is the like of ``if hasattr(_math, "fma")``, where that is false."""
    test = spell(node.test) if isinstance(node, cst.If) else ""
    asks = test.startswith(("hasattr(_math, ", "sys.version_info"))
    return asks and not eval(test, {"_math": math, "sys": sys})


def changes_nothing(old: cst.CSTNode, new: cst.CSTNode) -> bool:
    """Return whether a mutation is none: 1e300 + 1 is 1e300."""
    if isinstance(old, cst.Float) and isinstance(new, cst.Float):
        return old.evaluated_value == new.evaluated_value
    if isinstance(old, cst.Call) and isinstance(new, cst.Call) and old.func is new.func:
        kept = [[arg for arg in call.args if not is_strict(arg)] for call in (old, new)]
        return kept[0] == kept[1]
    return False
