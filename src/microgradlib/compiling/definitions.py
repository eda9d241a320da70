"""The functions that generated source calls, written out, so that it runs without the library."""

import ast
import inspect
import math
from collections.abc import Callable, Iterable
from pprint import pformat
from types import FunctionType, ModuleType
from typing import Any

from microgradlib.numeric import activations, loops, piecewise, reductions, special

_MODULES = (special, activations, reductions, piecewise, loops)

GLOBALS: dict[str, Any] = {
    name: x for module in _MODULES for name, x in vars(module).items() if not name.startswith("__")
}
"""The names of the modules of numeric functions; a name means the same in all of them."""


def is_numeric(name: str, function: Callable[..., Any]) -> bool:
    """Whether a function is one of ``math``, or of the library's own on floats."""
    return function is GLOBALS.get(name, getattr(math, name, None))


def definitions(names: Iterable[str]) -> str:
    """Return Python source that defines numeric functions and all that they use.

    >>> print(definitions(["exp", "gamma", "inf"]))
    from math import exp, gamma, inf
    <BLANKLINE>
    """
    imports: dict[str, set[str]] = {}  # names by module
    modules: set[str] = set()
    constants: dict[str, str] = {}
    found: dict[str, tuple[int, int, str]] = {}
    due = sorted(names)
    for name in due:  # the loop appends to this list
        x = GLOBALS.get(name, getattr(math, name, None))
        if hasattr(math, name) and x is getattr(math, name):
            imports.setdefault("math", set()).add(name)
        elif isinstance(x, ModuleType):
            modules.add(name)
        elif not isinstance(x, FunctionType):
            if isinstance(x, int | float | tuple | list):
                constants[name] = f"{name} = {pformat(x, width=96)}"
            else:
                imports.setdefault(x.__module__, set()).add(name)
        elif name not in found:
            lines, line = inspect.getsourcelines(x)
            text = "".join(lines)
            module = next(i for i, m in enumerate(_MODULES) if m.__name__ == x.__module__)
            found[name] = module, line, text
            names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
            due += sorted(names & GLOBALS.keys())
    head = [f"import {name}\n" for name in sorted(modules)]
    for module_name, names in sorted(imports.items()):
        head.append(f"from {module_name} import {', '.join(sorted(names))}\n")
    blocks = ["".join(head), "\n".join(constants.values())]
    blocks += [text for *_, text in sorted(found.values())]
    return "\n\n".join([block for block in blocks if block])
