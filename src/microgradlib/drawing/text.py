"""Numbers, names and operations as short texts, for boxes and tables."""

from collections.abc import Mapping
from typing import Any

from microgradlib.core.value import Operand, Value
from microgradlib.errors import short

LONGEST = 28  # characters of an expression
LONGEST_NAME = 24  # characters of a name in a table or a sentence
LONGEST_NUMBER = "-1.234e-100"  # that show_number returns


def clean(text: str, longest: int = 400) -> str:
    r"""Return text as one line without control characters, cut to a length.

    >>> clean("a\n<b>\x00" + 90 * "c", 10)
    'a <b>�ccc…'
    """
    shown = [
        c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text[: longest + 1]
    ]
    return "".join(shown) if len(shown) <= longest else "".join(shown[: longest - 1]) + "…"


def show_number(x: float | None) -> str:
    """Return a number in four digits, without the sign of a zero.

    >>> show_number(-0.0), show_number(2 / 3), show_number(None)
    ('0', '0.6667', 'none')
    """
    return "none" if x is None else f"{x + 0.0:.4g}"


def expression(node: Value, names: Mapping[Value, str]) -> str:
    """Return the operation of a node, with its operands if they are few and one of them has a name.

    >>> x = Value(2.0, label="x")
    >>> expression(3.0 * x, {}), expression(x.sin() * x.cos(), {})
    ('3 * x', '*')
    """
    primitive: Any = node._op
    words = [_word(x, names) for x in node._inputs]
    readable = primitive[0].isalpha() or len(words) == 2
    if readable and len(words) <= 3 and set(words) != {"·"}:
        text = primitive.show(*words)
        if len(text) <= LONGEST:
            return str(text)
    return str(primitive)


def assignment(node: Value, names: Mapping[Value, str]) -> str:
    """Return a node that has a name as an assignment of its operation to that name."""
    return f"{names[node]} = {expression(node, names)}"


def _word(x: Operand, names: Mapping[Value, str]) -> str:
    """Return an operand: its name, its number if it is constant, or a dot."""
    if not isinstance(x, Value):
        return show_number(x)
    if x.label or x in names:
        return clean(x.label or names[x], LONGEST)
    return "·" if x.requires_grad else show_number(x.data)


def parameter_names(function: str, model: Any) -> dict[Value, str]:
    """Return the names of the parameters of a module; none if the model is None.

    Raises:
        TypeError: if the model is not a module.
    """
    if model is None:
        return {}
    if isinstance(model, type) or not callable(getattr(model, "_named_values", None)):
        raise TypeError(f"{function}: model must be a Module, got {short(model)}")
    return {p: name for name, p in model._named_values()}
