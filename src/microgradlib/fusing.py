"""Fusing: several operations as one node, with generated code for their result and their vjp."""

from collections.abc import Callable, Iterable, Sequence
from math import exp
from typing import Any, TypeAlias

from microgradlib.instructions import Code, Symbol, row_of, text_of
from microgradlib.value import Fusion, Steps, Value, fused_node

Method: TypeAlias = Callable[[Any, Any], list[Value]]


def fuse(
    method: Method,
    head: Iterable[str],
    leaves: Sequence[str],
    constants: Sequence[str],
    steps: Steps,
    names: dict[str, Any],
) -> Method:
    """Return a function that does what a method does, with one node for all steps.

    It is for calls that are recorded, where nobody looks at each operation: see ``modes``. It
    leaves to the method what does not fit: if x is neither list nor tuple, the head raises an
    AttributeError, LookupError, TypeError or ValueError, a leaf was computed or needs no gradient,
    or a constant is no float.

    Args:
        method: a method of a module with one argument, which returns a list of one Value.
        head: statements that take ``module`` and ``x`` apart, and raise an exception unless the
            method still consists of these steps.
        leaves: names of Values. Where two are the same, their gradients add up in this order.
        constants: names of floats.
        steps: the operations. The last result needs all others.
        names: what the head refers to.
    """
    code = Code({*leaves, *constants})
    data = [code.input(f"{x}_data") for x in leaves]
    inputs = [*data, *map(code.input, constants)]
    numbers: list[Any] = [*inputs]
    edges: list[tuple[int, int, Any]] = []  # from a result, to what it needs, with the partial
    for row, places in steps:
        operands = [numbers[i] for i in places]
        y = code.apply(row, operands)
        partials = code.partials(row, y, operands)
        edges += [(len(numbers), i, p) for i, p in zip(places, partials, strict=True)]
        numbers.append(y)
    saved = [*dict.fromkeys([*inputs, *[p for *_, p in edges if isinstance(p, Symbol)]])]
    body = code.lines([y, *saved], [])
    fusion = Fusion(steps, len(inputs), _vjp(edges, len(leaves), saved))
    floats = [f"{x}.__class__ is float" for x in constants]
    needed = [f"{x}.requires_grad and not {x}._op" for x in leaves]
    lines = [
        "fits = x.__class__ is list or x.__class__ is tuple",
        "if fits:",
        "    try:",
        *[f"        {line}" for line in head],
        f"        fits = {' and '.join([*floats, *needed])}",
        "    except (AttributeError, LookupError, TypeError, ValueError):",
        "        fits = False",
        "if not fits:",
        "    return method(module, x)",
        *[f"{x.text} = {leaf}.data" for x, leaf in zip(data, leaves, strict=True)],
        *body,
        f"return [fused_node(fusion, {text_of(y)[0]}, {row_of(leaves)}, {_texts(saved)})]",
    ]
    own = {"exp": exp, "fused_node": fused_node, "fusion": fusion, "method": method}
    return _function("module, x", lines, own | names | code.functions)


def _vjp(
    edges: Sequence[tuple[int, int, Any]], count: int, saved: Sequence[Symbol]
) -> Callable[..., tuple[float, ...]]:
    """Return the chain rule from the last result to the leaves, as a function."""
    code = Code({x.text for x in saved})
    known = {x: code.input(x.text) for x in saved}
    adjoints: dict[int, Any] = {edges[-1][0]: code.input("adjoint")}
    for i, j, partial in reversed(edges):
        term = adjoints[i] * known.get(partial, partial)
        adjoints[j] = adjoints[j] + term if j in adjoints else term
    slopes = [adjoints[i] for i in range(count)]
    lines = [f"{_texts(saved)} = saved", *code.lines(slopes, []), f"return {_texts(slopes)}"]
    return _function("adjoint, saved", lines, {})


def _texts(numbers: Iterable[Any]) -> str:
    """Return a tuple of numbers, in source."""
    return row_of(text_of(x)[0] for x in numbers)


def _function(parameters: str, lines: Iterable[str], names: dict[str, Any]) -> Callable[..., Any]:
    """Return the function of this source."""
    exec("\n    ".join([f"def generated({parameters}):", *lines]), names)
    return names.pop("generated")  # type: ignore[no-any-return]
