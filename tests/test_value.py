"""Value: the numeric protocol, the graph, backward, and its context managers."""

import copy
import math
import pickle
from array import array
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from math import ceil, floor, inf, nan, trunc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradlib as mg
from microgradlib import Value
from microgradlib.core import table
from microgradlib.core.backprop import partial_values, topological_order
from microgradlib.core.primitive import Primitive
from microgradlib.core.table import PRIMITIVES, REAL

numbers = st.floats(-100.0, 100.0)


def gradients(f: Any, *inputs: float) -> list[float | None]:
    xs = [Value(x) for x in inputs]
    f(*xs).backward()
    return [x.grad for x in xs]


# The numeric protocol.

OPERATORS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "%": lambda x, y: x % y,
    "**": lambda x, y: x**y,
}


@pytest.mark.parametrize("symbol", OPERATORS)
@pytest.mark.parametrize("other", [2.0, 2, True])
def test_operators_take_values_and_numbers_on_either_side(symbol: str, other: float) -> None:
    f = OPERATORS[symbol]
    x = Value(5.0)
    for y in (f(x, other), f(other, x), f(x, Value(other + 0.0)), f(x, x)):
        assert isinstance(y, Value)
        assert str(y._op) == symbol
    assert f(x, other).data == f(5.0, other)
    assert f(other, x).data == f(other, 5.0)
    assert f(x, x).data == f(5.0, 5.0)


@pytest.mark.parametrize("symbol", OPERATORS)
def test_a_number_as_operand_gives_the_gradient_that_a_value_gives(symbol: str) -> None:
    f = OPERATORS[symbol]
    both = gradients(f, 5.0, 3.0)
    assert gradients(lambda x: f(x, 3.0), 5.0) == both[:1]
    assert gradients(lambda y: f(5.0, y), 3.0) == both[1:]


def test_powers_of_constant_exponent_have_a_row_of_their_own() -> None:
    x, y = Value(2.0), Value(3.0)
    assert (x**y)._op is (2.0**y)._op is table.power
    assert (x**3)._op is (x ** y.detach())._op is table.power_c


def test_unary_operators() -> None:
    x = Value(-3.0)
    assert ((-x).data, (+x).data, abs(x).data) == (3.0, -3.0, 3.0)
    assert gradients(lambda x: -x, 2.0) == [-1.0]
    assert gradients(lambda x: +x, 2.0) == [1.0]


def test_ordinary_scalar_code_works_unchanged() -> None:
    def f(x: Any, y: Any) -> Any:
        total = sum([x, y, x * y])
        total += 2**x if x > 0 else 0.0
        total -= abs(y) if y else 1.0
        return max(total, x) * min(x, y) / 2 + (x if x == y else y) * (x < y)

    assert f(Value(2.0), Value(-3.0)).data == f(2.0, -3.0)
    assert f(Value(1.0), Value(4.0)).data == f(1.0, 4.0)
    # There f(x, y) = x * y / 2 + y * 0
    assert gradients(f, 2.0, -3.0) == [-1.5, 1.0]


@given(x=numbers, y=numbers)
def test_comparisons_look_at_the_data(x: float, y: float) -> None:
    a, b = Value(x), Value(y)
    for left, right in ((a, b), (a, y), (x, b)):
        assert (left < right, left <= right) == (x < y, x <= y)
        assert (left > right, left >= right) == (x > y, x >= y)
        assert (left == right, left != right) == (x == y, x != y)
    assert bool(a) is bool(x)


def test_hash_is_identity() -> None:
    a, b = Value(1.0), Value(1.0)
    assert a == b
    assert len({a, b}) == 2
    assert a != "1.0"


def test_rounding_leaves_the_graph() -> None:
    x = Value(-2.5)
    assert (floor(x), ceil(x), trunc(x)) == (-3, -2, -2)
    assert (round(x), round(Value(2.345), 1)) == (-2, 2.3)
    assert type(floor(x)) is int


def test_repr_and_format() -> None:
    x = Value(2.0, label="x")
    assert repr(x) == "Value(data=2.0, grad=0.0, label='x')"
    assert repr(Value(1)) == "Value(data=1.0, grad=0.0)"
    assert f"{x:.3f} {x}" == "2.000 Value(data=2.0, grad=0.0, label='x')"


# The graph.


def test_the_names_of_micrograd() -> None:
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    c = a * b
    assert c._prev == (a, b)
    assert c._op == "*"
    assert (a + a)._prev == (a, a)
    assert ((a + a).label, (a + a).grad) == ("", 0.0)
    assert (c._op + "!", a._op) == ("*!", "")  # a drawing joins them with strings


def test_topological_order_has_inputs_first_and_every_node_once() -> None:
    a, b = Value(1.0), Value(2.0)
    c = a * b
    d = c + a
    e = d * c
    assert [id(v) for v in topological_order([e])] == [id(c), id(d), id(e)]


def test_the_topological_order_stops_at_what_is_older_than_its_inputs() -> None:
    older = Value(2.0) * 3.0
    x = Value(5.0)
    y = x * older
    assert [id(v) for v in topological_order([y], [x])] == [id(y)]
    assert topological_order([older, x], [x]) == []


# backward.


def test_leaves_accumulate_and_nodes_are_set() -> None:
    x = Value(3.0)
    y = x * x
    z = y + 1.0
    for n in (1, 2, 3):
        z.backward()
        assert (x.grad, y.grad, z.grad) == (6.0 * n, 1.0, 1.0)
    x.grad = None
    z.backward()
    assert x.grad == 6.0


def test_a_value_used_twice() -> None:
    assert gradients(lambda x: x + x, 1.0) == [2.0]
    assert gradients(lambda x: x * x * x, 2.0) == [12.0]


def test_backward_on_a_leaf() -> None:
    x = Value(3.0)
    x.backward()
    x.backward()
    assert x.grad == 2.0


def test_backward_from_an_inner_node_touches_only_what_is_below() -> None:
    x = Value(2.0)
    y = x * 3.0
    z = y * 5.0
    y.backward()
    assert (x.grad, y.grad, z.grad) == (3.0, 1.0, 0.0)


def test_editing_data_after_the_forward_pass_does_not_change_the_gradient() -> None:
    x, w = Value(2.0), Value(5.0)
    y = x * w
    w.data = 100.0
    y.backward()
    assert (x.grad, w.grad) == (5.0, 2.0)


def test_frozen_leaves_get_no_gradient() -> None:
    x, w = Value(2.0), Value(5.0)
    y = x * w
    w.requires_grad = False
    (y + w).backward()
    assert (x.grad, w.grad) == (5.0, 0.0)


def test_the_gradient_of_a_frozen_leaf_may_be_infinite() -> None:
    x, y = Value(0.0), Value(1.0)
    z = x.sqrt() + y
    x.requires_grad = False
    z.backward()
    assert (x.grad, y.grad) == (0.0, 1.0)


def test_backward_keeps_its_graph_as_pytorch_may_be_asked_to() -> None:
    x = Value(3.0)
    y = x * x
    for retained in (None, True, False):
        y.backward(retain_graph=retained)
    assert x.grad == 18.0


# backward(create_graph=True).


def test_backward_takes_no_gradient() -> None:
    x = Value(3.0)
    with pytest.raises(
        TypeError, match=r"backward\(\) takes 1 positional argument but 2 were given"
    ):
        (x * x).backward(2.0)  # type: ignore[misc]
    assert x.grad == 0.0


def test_gradients_are_values_with_create_graph() -> None:
    x, y = Value(2.0), Value(3.0)
    z = x**3 * y
    z.backward(create_graph=True)
    gx, gy = x.grad, y.grad
    assert (gx.data, gy.data) == (36.0, 8.0)
    assert isinstance(gx, Value)
    assert (z.grad.data, z.grad.requires_grad) == (1.0, False)
    x.grad = y.grad = 0.0
    gx.backward(create_graph=True)
    assert (x.grad.data, y.grad.data) == (36.0, 12.0)
    gxx, x.grad, y.grad = x.grad, 0.0, 0.0
    gxx.backward()
    assert (x.grad, y.grad) == (18.0, 12.0)


def test_leaves_accumulate_values_and_floats() -> None:
    x = Value(3.0)
    (x * x).backward(create_graph=True)
    (x * x).backward(create_graph=True)
    assert isinstance(x.grad, Value)
    assert x.grad.data == 12.0
    (x * x).backward()
    assert isinstance(x.grad, Value)
    assert x.grad.data == 18.0
    total, x.grad = x.grad, None
    total.backward()
    assert x.grad == 4.0
    (x * x).backward(create_graph=True)
    assert isinstance(x.grad, Value)
    assert x.grad.data == 10.0
    # A gradient that is 0 but a Value still has a slope.
    y = Value(0.0)
    (y * y).backward(create_graph=True)
    (y * y).backward(create_graph=True)
    slope, y.grad = y.grad, 0.0
    slope.backward()
    assert (slope.data, y.grad) == (0.0, 4.0)


def test_create_graph_under_no_grad_and_with_constants() -> None:
    x, w = Value(3.0), Value(2.0)
    y = x**2 * w
    w.requires_grad = False
    with mg.no_grad():
        y.backward(create_graph=True)
    assert x.grad.requires_grad
    assert w.grad == 0.0
    z = x * 5.0
    z.backward(create_graph=True)
    assert x.grad.data == 17.0


@pytest.mark.parametrize(
    ("f", "shown"),
    [
        (lambda x: x * x, "5.0 * 5.0 = 4.0"),
        (mg.exp, "exp(5.0) = 7.38905609893065"),
        (lambda x: mg.relu(x) + 1.0, "relu(5.0) = 2.0"),
    ],
)
def test_edited_data_is_refused_by_create_graph_alone(f: Any, shown: str) -> None:
    x = Value(2.0)
    y = f(x)
    y.backward()
    slope, x.grad = x.grad, 0.0
    x.data = 5.0
    with pytest.raises(mg.GradientError) as caught:
        y.backward(create_graph=True)
    assert str(caught.value) == (
        f"create_graph: data was edited since {shown} was computed, or it comes out different each "
        "time; compute it again, and edit data only after differentiating"
    )
    assert (x.grad, y.grad) == (0.0, 1.0)
    y.backward()
    assert x.grad == slope
    x.data = 2.0  # put back, it is what was computed
    x.grad = 0.0
    y.backward(create_graph=True)
    assert x.grad.data == slope


def test_an_edited_selection_is_refused() -> None:
    x, y = Value(2.0), Value(1.0)
    z = mg.maximum(x, y)
    x.data = 0.0
    with pytest.raises(mg.GradientError, match=r"data was edited since maximum\(0.0, 1.0\) = 2.0"):
        z.backward(create_graph=True)
    assert (x.grad, y.grad) == (0.0, 0.0)
    z.backward()
    assert (x.grad, y.grad) == (1.0, 0.0)


def test_create_graph_with_repeated_selected_and_constant_inputs() -> None:
    x, y = Value(2.0), Value(-1.0)
    z = mg.maximum(x, x) * mg.maximum(x, y) + mg.dot([x, 3.0, x], [x, y, 2.0], y.detach())
    z.backward(create_graph=True)
    plain = gradients(
        lambda x, y: mg.maximum(x, x) * mg.maximum(x, y) + mg.dot([x, 3.0, x], [x, y, 2.0], -1.0),
        2.0,
        -1.0,
    )
    assert [x.grad.data, y.grad.data] == plain == [10.0, 3.0]


@pytest.mark.parametrize("choice", [False, True])
def test_create_graph_where_the_same_input_is_selected_at_one_of_two_places(choice: bool) -> None:
    x = Value(2.0)
    y = mg.maximum(mg.where(choice, x, x), 1.0) ** 3
    y.backward(create_graph=True)
    slope, x.grad = x.grad, 0.0
    slope.backward()
    assert (slope.data, x.grad) == (12.0, 12.0)


def test_recorded_partials_of_whole_numbers_are_floats() -> None:
    assert repr(partial_values(Value(3.0) * 2)) == "[2.0, None]"


def test_create_graph_with_a_partial_of_zero() -> None:
    x, y = Value(2.0), Value(0.0)
    mg.dot([x, 3.0], [y, 1.0]).backward(create_graph=True)
    assert (x.grad.data, y.grad.data) == (0.0, 2.0)


def test_a_rule_that_does_not_take_values_is_named_by_create_graph() -> None:
    row = Primitive("test_cubed", lambda x: x**3, lambda y, x: (3.0 * math.pow(x, 2.0),), REAL)
    try:
        x = Value(2.0)
        y = row(x)
        y.backward()
        assert x.grad == 12.0
        with pytest.raises(mg.GradientError) as caught:
            y.backward(create_graph=True)
        assert str(caught.value) == (
            "create_graph: the rule for the partials of test_cubed does not take Values (float("
            "Value(data=2.0, grad=12.0)) would drop the gradient; use .data for the number, or "
            "microgradlib.math instead of math to stay differentiable); write it with operators "
            "and functions of microgradlib"
        )
        assert isinstance(caught.value.__cause__, TypeError)
        assert x.grad == 12.0
    finally:
        del PRIMITIVES[row.name]


def test_nothing_is_written_where_a_recorded_gradient_is_not_finite() -> None:
    x, y = Value(0.0, label="x"), Value(2.0)
    z = x.sqrt() * y
    with pytest.raises(mg.NonFiniteError, match=r"derivative of sqrt\(x\) .* x is inf"):
        z.backward(create_graph=True)
    assert (x.grad, y.grad, z.grad) == (0.0, 0.0, 0.0)
    with mg.allow_nonfinite():
        z.backward(create_graph=True)
    assert (x.grad.data, y.grad.data) == (inf, 0.0)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_the_topological_order_of_several_roots(length: int) -> None:
    nodes = [Value(1.0)]
    for _ in range(length):
        nodes.append(nodes[-1] * 2.0)
    for roots in (nodes[-1:], *permutations(nodes[1:])):
        assert topological_order(roots) == nodes[1:]


# Gradients that are there already.


def uses(x: Value, slope: float) -> list[Value]:
    """Return results with a slope in x: eager, and compiled."""
    return [x * slope, mg.compile(lambda: x * slope)()]


@pytest.mark.parametrize("at", [0, 1], ids=["eager", "compiled"])
class TestGradientsOfBefore:
    @pytest.mark.parametrize("before", ["1.0", [1.0], 1j, Decimal(1), array("d", [1.0])], ids=repr)
    def test_no_number(self, at: int, before: Any) -> None:
        x, y = Value(2.0), Value(3.0, label="y")
        y.grad = before
        z = [x * y, mg.compile(lambda: x * y)()][at]
        with pytest.raises(TypeError) as error:
            z.backward()
        assert str(error.value) == (
            f"backward: the gradient with respect to 'y' = 3.0 was set to {before!r}, to which no "
            "number can be added; set it to 0.0 or None"
        )
        assert (x.grad, y.grad, z.grad) == (0.0, before, 0.0)

    @pytest.mark.parametrize("before", [1e308, inf, nan])
    def test_that_do_not_add_up_to_a_finite_number(self, at: int, before: float) -> None:
        x = Value(1.0, label="x")
        x.grad = before
        y = uses(x, 1e308)[at]
        total = before + 1e308
        with pytest.raises(mg.NonFiniteError) as error:
            y.backward()
        assert str(error.value) == (
            f"backward: the gradient with respect to 'x' = 1.0 is 1e+308 and would add up to "
            f"{total} with the {before} that is there; set that to 0.0 first, or use "
            "allow_nonfinite() to accept such results"
        )
        assert (repr(x.grad), y.grad) == (repr(before), 0.0)
        with mg.allow_nonfinite():
            y.backward()
        assert (repr(x.grad), y.grad) == (repr(total), 1.0)

    @pytest.mark.parametrize("before", [2, True, None, 0.5, Fraction(1, 2), Value(0.0), Value(3.0)])
    def test_numbers(self, at: int, before: Any) -> None:
        x = Value(1.0)
        x.grad = before
        uses(x, 3.0)[at].backward()
        assert x.grad == 3.0 + (before or 0)
        assert isinstance(x.grad, Value) == isinstance(before, Value)

    def test_of_frozen_leaves(self, at: int) -> None:
        x = Value(1.0)
        y = uses(x, 3.0)[at]
        x.requires_grad = False
        for before in ("as it was", inf, None, 2.0):
            x.grad = before
            y.backward()
            assert x.grad is before


def test_only_leaves_that_get_a_gradient_need_a_number_there() -> None:
    x, frozen = Value(2.0), Value(3.0)
    y = x * frozen
    z = y * 1.0
    frozen.requires_grad = False
    x.grad = Value(1.0)  # so that each is looked at
    for before in ("as it was", None):
        frozen.grad = y.grad = before
        z.backward()
        assert (y.grad, frozen.grad) == (1.0, before)
    assert x.grad.data == 7.0


def test_a_recorded_gradient_adds_to_one_of_zero() -> None:
    x = Value(0.0)
    for _ in range(2):
        (x**2).backward(create_graph=True)
    slope, x.grad = x.grad, 0.0
    slope.backward()
    assert (slope.data, x.grad) == (0.0, 4.0)
    (x**2).backward(create_graph=True)
    x.grad = Value(1.5e308)
    with pytest.raises(mg.NonFiniteError, match="would add up to inf with the 1"):
        (x * 1.5e308).backward(create_graph=True)


def test_the_backward_pass_of_the_lecture() -> None:
    a, b = Value(2.0), Value(-3.0)
    o = (a * b + a).tanh() * b
    order: list[Value] = []

    def build(v: Value) -> None:
        if v not in order:
            for child in set(v._prev):
                build(child)
            order.append(v)

    build(o)
    for nothing in (0.0, None):
        o.grad = nothing
        o._backward()
        assert [v.grad for v in order[:-1]] == [0.0] * (len(order) - 1)
    o.grad = 1.0
    for node in reversed(order):
        node._backward()
    found = [v.grad for v in order]
    a.grad = b.grad = 0.0
    o.backward()
    assert found == [v.grad for v in order]


# Non-finite results.


def test_a_nonfinite_gradient_is_refused_by_name_and_nothing_is_written() -> None:
    x, y = Value(0.0, label="x"), Value(2.0)
    node = x.sqrt() * y
    with pytest.raises(mg.NonFiniteError, match=r"derivative of sqrt\(x\) .* x is inf"):
        node.backward()
    assert (x.grad, y.grad, node.grad) == (0.0, 0.0, 0.0)
    with mg.allow_nonfinite():
        node.backward()
    assert (x.grad, y.grad) == (inf, 0.0)


def test_a_nonfinite_value_is_refused_by_name() -> None:
    big = Value(1e308, label="big")
    node = big * 10.0
    node.label = "product"
    with pytest.raises(mg.NonFiniteError, match=r"value of 'product' = big \* 10.0 is inf"):
        (node + 1.0).backward()


def test_a_gradient_that_overflows_on_the_way_is_refused() -> None:
    x = Value(1e-200, label="x")
    y = (x * 1e200) * 1e200
    with pytest.raises(mg.NonFiniteError, match="gradient with respect to 'x' = 1e-200 is inf"):
        y.backward()


def test_huge_but_finite_gradients_pass() -> None:
    x, y = Value(0.1), Value(0.1)
    (x * 1.5e308 + y * 1.5e308).backward()
    assert (x.grad, y.grad) == (1.5e308, 1.5e308)


# Constants.


def test_detach_cuts_the_graph() -> None:
    x = Value(3.0)
    y = x.detach()
    assert (y.data, y.requires_grad, y is x) == (3.0, False, False)
    assert gradients(lambda x: x * x.detach(), 3.0) == [3.0]
    assert not (y * 2.0 + y).requires_grad


def test_sums_of_constants_do_not_grow_a_graph() -> None:
    total: Any = 0.0
    for _ in range(10):
        total = total + Value(1.0).detach()
    assert (total.data, total._prev, total._op) == (10.0, (), "")


# Compiled functions, and what is recorded to make them.


@pytest.mark.parametrize("x", [1.0, Value(1.0)], ids=["number", "value"])
@pytest.mark.parametrize("f", [Value.exp, lambda x: x * 2.0, lambda x: 2.0 * x, lambda x: x * x])
def test_what_is_computed_from_a_traced_value_is_traced(f: Any, x: Any) -> None:
    with pytest.raises(mg.CompileError, match="of a traced Value would be frozen"):
        mg.compile(lambda x: float(f(x)))(x)


def test_functions_of_constants_are_traced() -> None:
    c = Value(0.0).detach()
    f = mg.compile(lambda x: c.exp() * x)
    assert f(3.0).data == 3.0
    c.data = 1.0
    assert f(3.0).data == math.e * 3.0


def test_methods_take_numbers_as_well() -> None:
    assert Value.exp(Value(2.0)).data == math.exp(2.0)
    assert [Value.exp(x) for x in (2.0, 2)] == [math.exp(2.0)] * 2  # type: ignore[type-var]


def test_a_comparison_is_one_decision() -> None:
    f = mg.compile(lambda x, y: x if x < y else y)
    assert [f(1.0, 2.0), f(-1.0, 0.5), f(3.0, 2.5)] == [1.0, -1.0, 2.5]
    assert f.cache_info().made == 2


@pytest.mark.parametrize("before", [None, 0.0, 1.5])
def test_leaves_accumulate_in_compiled_functions(before: float | None) -> None:
    w = Value(3.0)
    y = mg.compile(lambda: w * 2.0)()
    w.grad = before
    y.backward()
    assert (w.grad, y.grad) == (2.0 + (before or 0.0), 1.0)


# Copies.


def test_leaves_copy_and_pickle() -> None:
    x = Value(3.0, label="x")
    x.grad = 2.0
    x.requires_grad = False
    for y in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y is not x
        assert (y.data, y.grad, y.label, y.requires_grad) == (3.0, 2.0, "x", False)


def test_subclasses_of_value_compute() -> None:
    class Named(Value):
        pass

    x = Named(2.0)
    y = 1.0 + x * x * Value(3.0)
    y.backward()
    assert (y.data, x.grad) == (13.0, 12.0)
    for f in OPERATORS.values():
        a, b = Named(2.0), Named(3.0)
        f(a, b).backward()
        assert [a.grad, b.grad] == gradients(f, 2.0, 3.0)
