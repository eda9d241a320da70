"""Translates functions of floats from a subset of Python to C99, with the same results.

The subset: numbers, lists and tuples of floats, indices that are not negative; arithmetic,
comparisons, conditions, loops, comprehensions; calls of ``math``, of some built-in functions and of
functions in the subset. Where Python raises, the C function sets ``*failed`` to what. All else is a
CompileError.
"""

import ast
import functools
import math
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

from microgradlib.compiling.clibrary import Signature
from microgradlib.compiling.templates import Template
from microgradlib.errors import CompileError
from translate.calls import Calls
from translate.expressions import Term
from translate.prelude import BUILTINS, FLOAT, Definition, c_name, prelude
from translate.statements import Statements


def signature(function: Callable[..., Any]) -> Signature:
    """Return how the C form of a function of floats is called.

    >>> from microgradlib.numeric.special import power_or_inf
    >>> signature(power_or_inf).call(["x", "2.0"])
    'mg_power_or_inf(x, 2.0)'
    """
    return BUILTINS.get(function) or define(function).signature


@functools.cache
def define(function: Callable[..., Any]) -> Definition:
    """Return the definition of a Python function in C."""
    if not isinstance(function, FunctionType) or c_name(function) in prelude():
        raise CompileError(f"{function!r} has no C form")
    body = Statements(function, signature)
    definition = body.define()
    while (body.called and body.assumed != body.fails) or body.known_loose != body.loose:
        body = Statements(function, signature, body.fails, frozenset(body.loose))
        definition = body.define()
    return definition


def definitions(functions: Iterable[Callable[..., Any]]) -> dict[str, str]:
    """Return the C source of functions, and of all that they call and is translated, by name."""
    arrays: dict[str, str] = {}
    texts: dict[str, str] = {}
    due = [*functions]
    for function in due:  # the loop appends to this list
        if function not in BUILTINS and c_name(function) not in texts:
            definition = define(function)
            texts[c_name(function)] = definition.text
            arrays.update(definition.arrays)
            due += definition.functions.values()
    return arrays | texts


def expression(source: str, names: tuple[str, ...]) -> Template:
    """Return the template in C of a Python expression in the given names and those of ``math``.

    >>> expression("x / y", ("x", "y")).pieces
    ('', ' / mg_nonzero(', ', failed)')
    """
    body = Calls("<expression>", vars(math), signature)
    body.variables = {name: Term(f"\0{i}", FLOAT) for i, name in enumerate(names)}
    body.local = {*names}
    result = body.number(ast.parse(source, mode="eval").body)
    if body.lines:
        raise CompileError(f"{source!r} is no expression in C")
    pieces = result.fit(0).split("\0")
    gaps = tuple([(int(i), int(asked)) for i, asked in map(str.split, pieces[1::2])])
    return Template(tuple(pieces[::2]), gaps, result.binding)
