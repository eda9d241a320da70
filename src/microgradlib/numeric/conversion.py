"""Numbers of other types as floats."""

from numbers import Complex, Real

from microgradlib.errors import short


class NoGradient(float):
    """The ``grad`` of a new Value: 0.0, but told from a gradient that came out as 0."""


NO_GRADIENT = NoGradient()


def to_float(
    function: str,
    x: object,
    expected: str = "a number or a Value",
    each: str = "call it on each element",
) -> float:
    """Return ``x`` as a float, or raise an error; ``each`` is the remedy for several numbers."""
    if expected != "a number" and hasattr(x, "to_numpy"):
        each = "use its to_numpy()"
    if isinstance(x, (int, float)) or _converts(x):
        try:
            return float(x)  # type: ignore[arg-type]
        except OverflowError:
            raise OverflowError(f"{function}: an int is too large for a float") from None
        except (TypeError, ValueError):  # of an array, perhaps
            if not hasattr(x, "__iter__"):
                raise
            remedy = each
    elif hasattr(x, "_apply"):
        remedy = "pass v.data"
    elif isinstance(x, str):
        remedy = "convert it with float()"
    else:
        remedy = each if hasattr(x, "__iter__") else "pass a float"
    raise TypeError(f"{function}: expected {expected}, got {short(x)}; {remedy}")


def refuse_table(function: str, *xs: object) -> None:
    """Refuse a DataFrame, whose items are the names of its columns."""
    for x in xs:
        if hasattr(x, "columns"):
            to_float(function, x)


def to_number(function: str, x: object, expected: str = "a number", **remedy: str) -> float:
    """Return ``x`` as a float, like ``to_float``, but refuse a bool, too."""
    if isinstance(x, bool):
        raise TypeError(f"{function}: expected a number, got {x!r}; pass a float")
    return to_float(function, x, expected, **remedy)


def _converts(x: object) -> bool:
    # NumPy's complex numbers have __float__, too: it drops the imaginary part.
    is_complex = isinstance(x, Complex) and not isinstance(x, Real)
    return (
        not is_complex
        and not hasattr(x, "_apply")
        and (hasattr(x, "__float__") or hasattr(x, "__index__"))
    )
