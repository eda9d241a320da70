"""Arrays of NumPy and Series of pandas: arithmetic, arguments, derivatives, functions, layers."""

import math
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from operator import add, mod, mul, sub, truediv
from operator import pow as pow_
from typing import Any, NamedTuple

import pytest

import microgradlib as mg
from microgradlib import Value, nn, trees
from microgradlib.errors import ShapeError
from microgradlib.trees import kind_of

np: Any = pytest.importorskip("numpy")


def values(*numbers: Any) -> Any:
    """Return an array of Values."""
    (first, *_) = numbers
    return np.vectorize(Value, otypes=[object])(
        np.array(first if np.ndim(first) else numbers, float)
    )


def data(xs: Any) -> Any:
    """Return the numbers of an array of Values and plain numbers."""
    return np.vectorize(lambda x: x.data if isinstance(x, Value) else float(x), otypes=[float])(xs)


def check(f: Callable[[Any], Any], x: Any) -> None:
    """Compare f of Values, and its gradient, with f of floats and finite differences."""
    x = np.asarray(x, float)
    value, gradient = mg.value_and_grad(f)(x)
    assert value == pytest.approx(float(f(x)), rel=1e-12)
    assert (gradient.shape, gradient.dtype) == (x.shape, np.float64)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = 1e-6
        slope = (f(x + step) - f(x - step)) / 2e-6
        assert gradient[index] == pytest.approx(float(slope), rel=1e-6, abs=1e-7)


# The operators.

OPERATORS: list[Callable[[Any, Any], Any]] = [add, sub, mul, truediv, pow_, mod]
COMPARISONS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a == b,
    lambda a, b: a != b,
    lambda a, b: a < b,
    lambda a, b: a <= b,
    lambda a, b: a > b,
    lambda a, b: a >= b,
]


@pytest.mark.parametrize("f", OPERATORS)
@pytest.mark.parametrize("dtype", [float, np.float32, int, bool, object])
def test_operators_between_arrays_and_values(f: Any, dtype: Any) -> None:
    array = np.array([[1.0, 2.0], [3.0, 4.0]]).astype(dtype)
    numbers = array.astype(float)
    for y, expected in (
        (f(array, Value(2.5)), f(numbers, 2.5)),
        (f(Value(2.5), array), f(2.5, numbers)),
        (f(array, values(2.5, 0.5)), f(numbers, np.array([2.5, 0.5]))),
        (f(values(2.5, 0.5), array), f(np.array([2.5, 0.5]), numbers)),
    ):
        assert (y.shape, y.dtype) == ((2, 2), object)
        assert all(type(x.data) is float for x in y.flat)
        assert np.array_equal(data(y), expected)


@pytest.mark.parametrize("f", [*OPERATORS, *COMPARISONS])
@pytest.mark.parametrize("number", [np.array(2.0), np.float64(2.0), np.longdouble(2.0), np.int8(2)])
def test_numbers_of_numpy_are_numbers(f: Any, number: Any) -> None:
    for y, expected in ((f(Value(3.0), number), f(3.0, 2.0)), (f(number, Value(3.0)), f(2.0, 3.0))):
        assert (y.data if isinstance(y, Value) else bool(y)) == expected
        assert isinstance(y, Value) == isinstance(expected, float)


@pytest.mark.parametrize("f", COMPARISONS)
def test_comparisons_go_entry_by_entry(f: Any) -> None:
    array, numbers = np.array([1.0, 2.0, 3.0]), values(1.0, 2.0, 3.0)
    for other in (array, numbers):
        for y, expected in (
            (f(Value(2.0), other), f(2.0, array)),
            (f(other, Value(2.0)), f(array, 2.0)),
            (f(values(2.0, 2.0, 4.0), other), f(np.array([2.0, 2.0, 4.0]), array)),
        ):
            assert y.dtype == bool
            assert np.array_equal(y, expected)


def test_a_compiled_function_compares_entry_by_entry() -> None:
    table = np.array([1.0, 5.0])
    f = mg.compile(lambda x: mg.sum(np.where(x > table, x, 0.0)) + (1.0 if x != table[0] else 0.0))
    for x, expected in ((2.0, 3.0), (6.0, 13.0), (1.0, 0.0), (2.5, 3.5)):
        assert f(x) == expected
    assert "x > " in f.source


def test_what_would_drop_a_gradient_is_refused() -> None:
    floats, x = np.ones(2), Value(3.0)
    with pytest.raises(TypeError, match="would drop the gradient"):
        floats[0] = x
    with pytest.raises(TypeError, match="would drop the gradient"):
        values(1.0).astype(float)
    with pytest.raises(TypeError, match="Cannot cast"):
        floats += x
    for y in (np.complex128(1j), np.array([1j])):
        with pytest.raises(TypeError, match="unsupported operand"):
            y * x
    assert floats.tolist() == [1.0, 1.0]


# NumPy's functions.

UFUNCS = {
    name: f
    for name, f in vars(np).items()
    if isinstance(f, np.ufunc)
    and f.signature is None
    and any("O" in types for types in f.types)
    and f.nout == 1
    and any(set(types) <= set("d->?") and "d" in types for types in f.types)
    and not name.startswith("logical")
    and name != "floor_divide"
}


def test_there_are_many_of_them() -> None:
    assert {"arctan2", "conjugate", "deg2rad", "exp", "fmod", "hypot", "rint"} <= {*UFUNCS}


@pytest.mark.parametrize("name", UFUNCS)
def test_a_ufunc_gives_the_numbers_it_gives_for_floats(name: str) -> None:
    f = UFUNCS[name]
    x = 0.4
    with np.errstate(invalid="ignore"):
        if np.isnan(f(*[x] * f.nin)):  # arccosh
            x = 1.4
    if f.nin == 1:
        check(lambda a: f(a).sum() + f(a[0]), [x, x / 0.9])
    else:
        check(lambda a: f(a[:2], a[2:]).sum(), [x, 0.7, 0.9, 0.6])
        check(lambda a: f(a, 0.55).sum() + f(a[0], a[1]), [x, 0.7])


def test_angles_in_degrees() -> None:
    assert [np.degrees(x).data for x in (Value(math.pi), values(math.pi)[0])] == [180.0, 180.0]
    assert np.rad2deg(Value(math.pi)).data == 180.0
    assert np.radians(Value(180.0)).data == np.deg2rad(Value(180.0)).data == math.pi


@pytest.mark.parametrize("number", [0.5, 1.5, 2.5, -0.5, 1e300, math.inf])
def test_rounding_reads_the_data(number: float) -> None:
    rounded = np.rint(Value(number))
    assert (rounded, type(rounded)) == (np.rint(number), float)
    assert np.round(values(number))[0] == np.round(number)


MATRIX = np.array([[2.0, 0.5], [0.25, 3.0]])
NUMPY: list[Callable[[Any], Any]] = [
    lambda a: np.dot(a, a),
    lambda a: np.dot(a, [1.0, 2.0, 3.0]),
    lambda a: np.array([1.0, 2.0, 3.0]) @ a,
    lambda a: (MATRIX @ a[:2]) @ (a[1:] @ MATRIX),
    lambda a: np.mean(a),
    lambda a: np.mean(np.outer(a, a), axis=0)[1],
    lambda a: np.average(a, weights=[1.0, 2.0, 3.0]),
    lambda a: np.std(a),
    lambda a: np.std(a, ddof=1),
    lambda a: np.var(a),
    lambda a: a.var(axis=0),
    lambda a: np.linalg.norm(a),
    lambda a: np.linalg.norm(a, 1),
    lambda a: np.linalg.norm(a, np.inf),
    lambda a: np.linalg.norm(np.outer(a, a)),
    lambda a: np.linalg.matrix_power(np.outer(a, a), 2)[0, 1],
    lambda a: np.polyval(a, 0.7),
    lambda a: np.polyval([1.0, 2.0, 3.0], a).sum(),
    lambda a: np.where(a > 1.0, a**2, 3.0).sum(),
    lambda a: np.stack([a, a**2]).prod(),
    lambda a: np.concatenate([a, 2.0 * a]).prod(),
    lambda a: np.cumsum(a)[1],
    lambda a: np.cumprod(a)[2],
    lambda a: np.prod(a),
    lambda a: getattr(np, "trapezoid", getattr(np, "trapz", None))(a, [0.0, 1.0, 3.0]),
    lambda a: np.max(a) * np.min(a) + np.ptp(a),
    lambda a: np.sort(a)[1] * np.argmax(a),
    lambda a: np.median(a),
    lambda a: np.percentile(a, 30.0),
    lambda a: np.diff(a).prod(),
    lambda a: np.cross(a, [1.0, 2.0, 3.0])[1],
    lambda a: np.convolve(a, a)[2],
    lambda a: np.tensordot(np.outer(a, a), np.ones((3, 3)), 2)[()],
    lambda a: np.trace(np.outer(a, a)),
    lambda a: np.kron(a, a)[4],
    lambda a: np.clip(a, 0.6, 1.0).sum(),
    lambda a: np.maximum(a, 1.0).sum() + np.minimum(a, 1.0).prod(),
    lambda a: np.abs(a - 1.0).sum() + np.sign(a - 1.0).sum(),
    lambda a: np.sinc(a).sum(),
    lambda a: np.select([a > 1.0], [a], 2.0).sum(),
    lambda a: np.nansum(a) + sum(a),
    lambda a: a.reshape(3, 1).T.ravel()[::-1][0],
]


@pytest.mark.parametrize("f", NUMPY)
def test_functions_of_numpy_and_their_gradients(f: Any) -> None:
    check(f, [0.5, 1.5, 0.8])


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "1.25.0", reason="not for objects")
def test_einsum() -> None:
    check(lambda a: np.einsum("i,i->", a, a), [0.5, 1.5])
    check(lambda a: np.einsum("ij,j->i", MATRIX, a).prod(), [0.5, 1.5])


def test_the_mixtures_that_numpy_makes() -> None:
    xs = values(0.5, 5.0)
    mixture = np.maximum(xs, 2.0)
    assert [type(x) for x in mixture] == [float, type(xs[1])]
    assert [x.data if isinstance(x, Value) else x for x in mg.exp(mixture)] == [
        math.exp(2.0),
        math.exp(5.0),
    ]
    for clipped in (np.clip(xs, 0.0, 2.0), mg.clip(xs, 0.0, 2.0)):
        assert data(mg.tanh(clipped)).tolist() == [math.tanh(0.5), math.tanh(2.0)]
    assert mg.relu(np.sign(xs)).tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="no callable exp method"):
        np.exp(mixture)


# Arguments and derivatives.


def test_an_array_reaches_the_function_as_an_array() -> None:
    def f(p: Any) -> Any:
        assert (type(p), p.shape, p.dtype) == (np.ndarray, (3,), object)
        assert all(isinstance(x, Value) for x in p)
        return mg.sum([x * x for x in 2 * p])

    x = np.array([1.0, 2.0, 3.0])
    value, gradient = mg.value_and_grad(f)(x)
    assert (value, gradient.tolist(), gradient.dtype) == (56.0, [8.0, 16.0, 24.0], np.float64)
    assert mg.grad(lambda p: (p + p).sum())(x).tolist() == [2.0, 2.0, 2.0]
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_the_first_line_of_a_fit() -> None:
    t = np.linspace(0.0, 2.0, 5)
    check(lambda p: ((p[0] * np.exp(-p[1] * t) - 1.0 / (1.0 + t)) ** 2).sum(), [1.1, 0.6])


@pytest.mark.parametrize("dtype", [float, np.float32, np.float16, np.longdouble, int, np.uint8])
@pytest.mark.parametrize("shape", [(4,), (2, 2), (2, 1, 2), (1, 4), (0,), (0, 3)])
def test_numbers_of_any_type_and_shape(dtype: Any, shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    gradient = mg.grad(lambda p: (p * p).sum() + 0.0 * p.size)(x)
    assert (type(gradient), gradient.shape, gradient.dtype) == (np.ndarray, shape, np.float64)
    assert np.array_equal(gradient, 2.0 * x)


def test_the_layout_in_memory_does_not_matter() -> None:
    x = np.arange(12.0).reshape(3, 4)
    for view in (x.T, x[::2, ::-1], np.asfortranarray(x), np.broadcast_to(x[0], (3, 4))):
        weights = np.arange(view.size).reshape(view.shape)
        assert np.array_equal(
            mg.grad(lambda p, w=weights: (p * p * w).sum())(view), 2 * view * weights
        )


@pytest.mark.parametrize("number", [np.array(3.0), np.float64(3.0), np.int64(3), np.array(3)])
def test_an_array_without_axes_is_a_number(number: Any) -> None:
    derivative = mg.grad(lambda x: x * x if isinstance(x, Value) else 0.0)(number)
    assert (derivative, type(derivative)) == (6.0, float)
    assert mg.grad(lambda x: x[0] * x[1])([number, 5.0]) == [5.0, 3.0]


def test_arrays_of_values_and_numbers() -> None:
    x = Value(3.0)
    gradient = mg.grad(lambda p: (p * p).sum())(np.array([x, 2, np.float64(1.0)], object))
    assert (gradient.dtype, data(gradient).tolist()) == (object, [6.0, 4.0, 2.0])
    gradient[0].backward()
    assert x.grad == 2.0
    of_one = mg.grad(lambda x: x * x)(np.array(x))
    assert isinstance(of_one, Value)


class Tagged(np.ndarray):  # type: ignore[misc]
    """An array with an attribute."""

    tag = ""

    def __array_finalize__(self, original: Any) -> None:
        self.tag = getattr(original, "tag", "")


class Fit(NamedTuple):
    scale: Any
    rates: Any


def test_subclasses_and_containers_stay_what_they_are() -> None:
    x = np.array([1.0, 2.0]).view(Tagged)
    x.tag = "m"

    def f(p: Any) -> Any:
        assert (type(p), p.tag) == (Tagged, "m")
        return (p * p).sum()

    gradient = mg.grad(f)(x)
    assert (type(gradient), gradient.tag, gradient.tolist()) == (Tagged, "m", [2.0, 4.0])
    found = mg.grad(lambda fit: fit.scale * fit.rates.prod())(Fit(2.0, np.array([3.0, 5.0])))
    assert (type(found), found.scale, found.rates.tolist()) == (Fit, 15.0, [10.0, 6.0])
    (nested,) = mg.grad(lambda d: d[0]["a"][1])(deque([{"a": np.ones(2)}]))
    assert nested["a"].tolist() == [0.0, 1.0]
    matrix = mg.grad(lambda p: (p @ p.T)[0, 0])(np.array([[1.0, 2.0]]).view(np.matrix))
    assert (type(matrix), matrix.tolist()) == (np.matrix, [[2.0, 4.0]])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (np.array([True]), r"argument 0\[0\]: expected a number, got True"),
        (np.array([[1j]]), r"argument 0\[0\]\[0\]: expected a number.*, got 1j"),
        (np.array(["1"]), r"argument 0\[0\]: expected a number.*, got '1'; convert it with float"),
        (np.array([None]), r"argument 0\[0\]: expected a number.*, got None"),
        (np.array(["2020"], "M8[Y]"), r"argument 0\[0\]: expected a number"),
        (
            np.array([[1.0], [2.0, 3.0]], object),
            r"0\[0\]: .*got \[1.0\]; pass a list instead of an array",
        ),
        (np.zeros(1, "f,f"), r"0\[0\]: .*got \(0.0, 0.0\); pass a list instead of an array"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), r"argument 0\[1\]: expected a number.*None"),
        (np.True_, "argument 0: expected a number, got True"),
        (np.complex128(2.0), "argument 0: expected a number"),
        (memoryview(np.ones(1)), "argument 0: .*; pass a list of its numbers"),
    ],
)
def test_what_is_no_array_of_numbers(argument: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^grad: {message}" if "arg" in message else message):
        mg.grad(lambda p: 1.0)(argument)


X = np.array([1.0, 2.0, 3.0])


def test_a_jacobian_is_a_matrix() -> None:
    assert np.array_equal(mg.jacobian(lambda p: 2 * p)(X), 2.0 * np.eye(3))
    forward = mg.jacobian(lambda p: np.concatenate([p, p * p]))(X)
    assert np.array_equal(forward, np.concatenate([np.eye(3), np.diag(2.0 * X)]))
    outer = mg.jacobian(lambda p: np.outer(p, p))(X)
    assert outer.shape == (3, 3, 3)
    assert np.array_equal(outer[1, 2], [0.0, 3.0, 2.0])
    assert mg.jacobian(lambda p: p.sum())(np.ones((2, 2))).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert mg.jacobian(lambda p: p)(np.zeros((0, 2))).shape == (0, 2)


def test_a_jacobian_of_other_containers() -> None:
    a, b = mg.jacobian(lambda p: p[0] * p[1] * X)([2.0, 5.0])
    assert (a.tolist(), b.tolist()) == ([5.0, 10.0, 15.0], [2.0, 4.0, 6.0])
    rows = mg.jacobian(lambda p: [p[0] * p[1], {"a": p[2]}])(X)
    assert (rows[0].tolist(), rows[1]["a"].tolist()) == ([2.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    found = mg.jacobian(lambda p: p["a"] * p["b"][0])({"a": X, "b": [4.0], "c": []})
    assert np.array_equal(found["a"], 4.0 * np.eye(3))
    assert (found["b"][0].tolist(), found["c"]) == ([1.0, 2.0, 3.0], [])
    both = mg.jacobian(lambda x, y: x * y * X, (0, 1))(2.0, 3.0)
    assert [part.tolist() for part in both] == [[3.0, 6.0, 9.0], [2.0, 4.0, 6.0]]
    layer = mg.jacobian(lambda model: model(X[:2]))(nn.Layer(2, 1))
    assert (layer.weight[0][1].tolist(), layer.bias[0].tolist()) == ([2.0], [1.0])
    of_number = mg.jacobian(lambda x: x * X)(2.0)
    assert (of_number.tolist(), of_number.dtype) == ([1.0, 2.0, 3.0], np.float64)


def test_a_hessian_is_a_matrix() -> None:
    hessian = mg.hessian(lambda p: (p**3).sum() + p[0] * p[1])(X)
    assert np.array_equal(hessian, [[6.0, 1.0, 0.0], [1.0, 12.0, 0.0], [0.0, 0.0, 18.0]])
    assert mg.hessian(lambda p: (p**2).sum())(np.ones((2, 3))).shape == (2, 3, 2, 3)


def test_tangents_and_cotangents_are_arrays() -> None:
    value, tangent = mg.jvp(lambda p: p * p, (X,), (X,))
    assert (value.tolist(), tangent.tolist()) == ([1.0, 4.0, 9.0], [2.0, 8.0, 18.0])
    assert mg.jvp(lambda p: p * p, (X,), ([1, 2.0, 3.0],))[1].tolist() == [2.0, 8.0, 18.0]
    value, pullback = mg.vjp(lambda p: np.outer(p, p), X)
    (cotangent,) = pullback(np.ones((3, 3)))
    assert (value.shape, cotangent.tolist()) == ((3, 3), [12.0, 12.0, 12.0])
    (product,) = mg.hvp(lambda p: (p**3).sum(), (X,), (X,))
    assert product.tolist() == [6.0, 24.0, 54.0]
    for other in (np.ones(2), np.ones((3, 1))):
        with pytest.raises(ShapeError, match="tangents must have the structure of primals"):
            mg.jvp(lambda p: p, (X,), (other,))
        with pytest.raises(ShapeError, match="cotangents must have the structure of outputs"):
            pullback(other)


def test_what_comes_beside_a_gradient_stays_as_it_is() -> None:
    names, flags = np.array(["a", "b"]), X > 1.0

    def f(p: Any) -> Any:
        return p.sum(), (
            p * X,
            names,
            flags,
            np.float32([1.0]),
            np.array([p[0], "text", [p[1]]], object),
        )

    _, (numbers, *others, mixed) = mg.grad(f, has_aux=True)(X)
    assert (numbers.tolist(), numbers.dtype) == ([1.0, 4.0, 9.0], np.float64)
    assert [part.dtype for part in others] == [names.dtype, bool, np.float32]
    assert mixed.tolist()[:2] == [1.0, "text"]


@pytest.mark.parametrize("array", [X > 1.0, np.array(["a", "bc"]), np.array([[1j]])])
def test_the_kind_of_arrays_keeps_what_is_no_number(array: Any) -> None:
    kind = kind_of(array)
    assert kind is not None
    again = kind.map(lambda entry: entry, array)
    assert again.dtype == array.dtype
    assert np.array_equal(again, array)


def test_gradcheck_takes_arrays() -> None:
    assert mg.gradcheck(lambda p: np.sin(p) * p[0], X, order=2)


# Functions of this library.

UNARY: list[Callable[..., Any]] = [
    *[mg.exp, mg.exp2, mg.expm1, mg.log, mg.log2, mg.log10, mg.log1p, mg.sqrt, mg.cbrt],
    *[mg.sin, mg.cos, mg.tan, mg.asin, mg.acos, mg.atan, mg.sinh, mg.cosh, mg.tanh, mg.asinh],
    *[mg.atanh, mg.erf, mg.erfc, mg.gamma, mg.lgamma, mg.sigmoid, mg.log_sigmoid, mg.softplus],
    *[mg.relu, mg.leaky_relu, mg.elu, mg.gelu, mg.silu],
    lambda x: mg.acosh(x + 1.0),
    lambda x: mg.leaky_relu(x - 0.5, 0.25),
    lambda x: mg.elu(x - 0.5, 0.25),
    lambda x: mg.gelu(x, "tanh"),
    lambda x: mg.clip(x, 0.4, 0.6),
]


@pytest.mark.parametrize("f", UNARY)
def test_functions_go_number_by_number(f: Any) -> None:
    numbers = [0.25, 0.75]
    expected = [f(x) for x in numbers]
    array = f(np.array([numbers, numbers]))
    assert (array.dtype, array.tolist()) == (np.float64, [expected, expected])
    of_values = f(values(*numbers))
    assert (of_values.dtype, data(of_values).tolist()) == (object, expected)
    mixed = f(np.array([Value(0.25), 0.75], object))
    assert (data(mixed).tolist(), mixed[1]) == (expected, expected[1])
    check(lambda a: f(a).sum(), numbers)


def test_functions_of_nested_lists() -> None:
    assert mg.relu([1.0, [-2, (3.0,)], np.array([-1.0])[0]]) == [1.0, [0.0, (3.0,)], 0.0]
    assert mg.exp((0.0, 0.0)) == (1.0, 1.0)
    assert mg.exp([]) == []
    nested = mg.exp([np.zeros(2), deque([0.0])])
    assert (nested[0].tolist(), nested[1]) == ([1.0, 1.0], deque([1.0]))
    (x,) = mg.exp([Value(0.0)])
    assert x.data == 1.0
    assert (mg.exp(np.array(0.0)), type(mg.exp(np.array(0.0)))) == (1.0, float)
    assert mg.exp(np.array(Value(0.0))).data == 1.0
    assert mg.exp(np.zeros((0, 2))).shape == (0, 2)
    for bad in ({0.0}, ["text"], {"a": 0.0}, [None]):
        with pytest.raises(TypeError, match=r"^exp: expected a number or a Value"):
            mg.exp(bad)
    with pytest.raises(ValueError, match="log"):
        mg.log(np.array([-1.0]))


BINARY: list[tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = [
    (mg.maximum, np.maximum),
    (mg.minimum, np.minimum),
    (mg.atan2, np.arctan2),
    (mg.hypot, np.hypot),
    (lambda x, y: mg.where(x > y, x, y), np.maximum),
]


@pytest.mark.parametrize(("f", "expected"), BINARY)
def test_functions_of_two(f: Any, expected: Any) -> None:
    column, row = np.array([[0.5], [2.0]]), np.array([1.0, 3.0, 0.25])
    for x, y in ((column, row), (row, column), (row, np.float64(0.7)), (row, row[::-1])):
        assert np.array_equal(f(x, y), expected(x, y))
        assert np.array_equal(data(f(values(x), y)), expected(x, y))
        assert np.array_equal(data(f(x, values(y))), expected(x, y))
    check(lambda a: f(a, row).sum() + f(0.6, a).sum() + f(a, a[::-1])[0], row + 0.1)
    with pytest.raises((ShapeError, ValueError)):
        f(np.ones(2), np.ones(3))


def test_functions_of_two_lists() -> None:
    x = Value(2.0)
    largest = mg.maximum([x, 1.0], [1.0, 3.0])
    assert (largest[0].data, largest[1]) == (2.0, 3.0)
    assert mg.maximum([1.0, [2.0]], 1.5) == [1.5, [2.0]]
    assert mg.minimum(1.5, (1.0, 2.0)) == (1.0, 1.5)
    assert mg.minimum(np.array(1.5), [1.0, 2.0]) == [1.0, 1.5]
    assert mg.where([True, False], 1.0, [2.0, 3.0]) == [1.0, 3.0]
    assert mg.where(np.array([True, False]), 1.0, 2.0).tolist() == [1.0, 2.0]
    assert mg.hypot([3.0], np.array([4.0])).tolist() == [5.0]
    assert mg.hypot([3.0, 5.0], [4.0, 12.0], 0.0) == [5.0, 13.0]
    for f in (mg.maximum, mg.hypot, mg.atan2):
        name = f.__name__
        with pytest.raises(ShapeError, match=rf"^{name}: lists of lengths \[1, 2\] do not fit"):
            f([1.0], (1.0, 2.0))
        with pytest.raises(ShapeError, match=rf"^{name}: arrays of shapes \[\(2,\), \(3,\)\] do "):
            f(np.ones(2), np.ones(3))
    with pytest.raises(TypeError, match=r"^hypot: expected a number or a Value, got \[3.0, 4.0\]"):
        mg.hypot([3.0, 4.0])


REDUCTIONS: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = [
    (mg.sum, np.sum),
    (mg.mean, np.mean),
    (mg.prod, np.prod),
    (mg.logsumexp, lambda xs: np.log(np.sum(np.exp(xs)))),
]


@pytest.mark.parametrize(("f", "expected"), REDUCTIONS)
def test_reductions_take_all_numbers(f: Any, expected: Any) -> None:
    matrix = np.array([[0.5, 2.0], [1.5, 0.75]])
    for xs in (matrix, matrix.tolist(), [*matrix], [(0.5, 2.0), values(1.5, 0.75)]):
        y = f(xs)
        assert (y.data if isinstance(y, Value) else y) == pytest.approx(expected(matrix))
    assert f(matrix[0].astype(int)) == pytest.approx(expected(np.array([0, 2])))
    check(f, matrix)
    with pytest.raises(TypeError, match="expected a sequence"):
        f(np.array(1.0))


def test_reductions_of_rows() -> None:
    rows = [[0.0, 1.0], [2.0, 5.0]]
    for f in (mg.softmax, mg.log_softmax):
        expected = [f(row) for row in rows]
        assert f(rows) == f([*map(tuple, rows)]) == expected
        of_array = f(np.array(rows))
        assert (of_array.dtype, of_array.tolist()) == (np.float64, expected)
        assert data(f(values(*rows[0]))).tolist() == expected[0]
        check(lambda a, f=f: (f(a) * X[:2]).sum(), rows)
    assert mg.dot(np.array([1, 2]), values(3.0, 4.0), np.float64(1.0)).data == 12.0
    with pytest.raises(TypeError, match=r"^dot: expected a number or a Value"):
        mg.dot(np.ones((2, 2)), np.ones((2, 2)))
    assert mg.select(np.array([1.0, 2.0]), np.int64(1)) == 2.0


# Modules and losses.

MODULES = [nn.Neuron(2, "tanh"), nn.Layer(2, 3, "relu"), nn.MLP(2, [3, 2], "tanh")]


def plain(x: Any) -> Any:
    """Return nested lists and arrays of Values as nested lists of numbers."""
    if isinstance(x, Value):
        return x.data
    return [plain(y) for y in x]


@pytest.mark.parametrize("model", MODULES, ids=str)
def test_modules_take_rows_and_batches(model: Any) -> None:
    rows = [[0.5, -1.0], [2.0, 0.25]]
    expected = [plain(model(row)) for row in rows]
    for batch in (rows, [*map(tuple, rows)], tuple(rows), [*np.array(rows)]):
        outputs = model(batch)
        assert isinstance(outputs, list)
        assert plain(outputs) == expected
    for batch in (np.array(rows), np.array(rows).astype(object), values(rows), np.float32(rows)):
        outputs = model(batch)
        assert (type(outputs), outputs.dtype) == (np.ndarray, object)
        assert outputs.shape == np.array(expected).shape
        assert plain(outputs) == expected
    for row in (np.array(rows[0]), [*np.array(rows[0])], tuple(rows[0]), iter(rows[0])):
        assert plain(model(row)) == expected[0]
    assert np.array_equal(data(model(np.array([rows, rows]))), [expected, expected])
    for wrong in (np.ones((2, 3)), np.ones(3), [[1.0]], [], np.ones((0, 2))):
        with pytest.raises(ShapeError, match="expected 2 inputs"):
            model(wrong)


@pytest.mark.parametrize("model", MODULES, ids=str)
def test_gradients_of_a_batch(model: Any) -> None:
    batch = np.array([[0.5, -1.0], [2.0, 0.25]])
    outputs = [y for row in batch.tolist() for y in np.ravel([model(row)])]
    mg.sum([y * y for y in outputs]).backward()
    expected = [p.grad for p in model.parameters()]
    model.zero_grad()
    ((model(batch)) ** 2).sum().backward()
    assert [p.grad for p in model.parameters()] == pytest.approx(expected)
    model.zero_grad()


def test_sizes_of_numpy() -> None:
    sizes = np.array([2, 3, 1])
    model = nn.MLP(sizes[0], [*sizes[1:]])
    assert repr(model) == repr(nn.MLP(2, [3, 1]))
    with pytest.raises(TypeError, match="nin must be an int"):
        nn.Neuron(np.float64(2.0))  # type: ignore[arg-type]


LOSSES: list[tuple[Any, Any, Any]] = [
    (nn.mse_loss, [[0.5, 2.0], [1.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]),
    (nn.binary_cross_entropy, [[0.5, 0.25]], [[1.0, 0.0]]),
    (nn.binary_cross_entropy_with_logits, [0.5, 2.0], [1.0, 0.0]),
    (nn.cross_entropy, [[0.5, 2.0], [1.0, 4.0]], [1, 0]),
    (nn.cross_entropy, [0.5, 2.0], 1),
]


@pytest.mark.parametrize(("loss", "outputs", "targets"), LOSSES)
def test_losses_of_arrays(loss: Any, outputs: Any, targets: Any) -> None:
    expected = loss(outputs, targets)
    array, labels = np.array(outputs), np.array(targets)
    for xs in (outputs, array, [*array]):
        for ys in (targets, labels, [*labels] if labels.ndim else labels):
            assert loss(xs, ys) == expected
    assert loss(values(outputs), labels).data == expected
    check(lambda xs: loss(xs, labels), outputs)


def test_losses_of_numbers_of_numpy() -> None:
    for target in (np.float64(3.0), np.int64(3), np.array(3.0), np.float32(3.0)):
        assert nn.mse_loss(Value(1.0), target).data == 4.0
        assert nn.mse_loss([Value(1.0)], [target]).data == 4.0
    assert nn.cross_entropy([1.0, 1.0], np.int64(1)) == math.log(2.0)
    for target in (np.float64(1.0), np.array([1.0]), True, np.True_):
        with pytest.raises(TypeError, match="cross_entropy: a target must be an int"):
            nn.cross_entropy([1.0, 1.0] if np.ndim(target) == 0 else [[1.0, 1.0]], target)
    for shape in ((3,), (2, 1), (0,)):
        with pytest.raises(ShapeError, match="same shape"):
            nn.mse_loss(values(1.0, 2.0), np.ones(shape))
    with pytest.raises(ShapeError, match="a list of logits for each target"):
        nn.cross_entropy(np.ones((1, 2, 2)), [1])


def test_state_dicts_of_arrays() -> None:
    layer = nn.Layer(2, 1)
    layer.load_state_dict({"weight": np.array([[1, 2]]), "bias": np.float32([0.5])})
    assert layer.state_dict() == {"weight": [[1.0, 2.0]], "bias": [0.5]}


# Series of pandas.


def test_a_series_as_argument() -> None:
    pd = pytest.importorskip("pandas")
    series = pd.Series({"a": 2.0, "b": 3.0}, name="rates")

    def f(p: Any) -> Any:
        assert (type(p), p.name, [*p.index]) == (pd.Series, "rates", ["a", "b"])
        return p["a"] * p["b"] ** 2

    gradient = mg.grad(f)(series)
    pd.testing.assert_series_equal(gradient, pd.Series({"a": 9.0, "b": 12.0}, name="rates"))
    assert mg.hessian(f)(series).tolist() == [[0.0, 6.0], [6.0, 4.0]]
    assert mg.jacobian(lambda p: 2 * p)(series).tolist() == [[2.0, 0.0], [0.0, 2.0]]
    by_number = mg.jacobian(lambda x: series * x)(1.0)
    pd.testing.assert_series_equal(by_number, series)
    with pytest.raises(TypeError, match="expected a number, got True"):
        mg.grad(f)(series > 0)


def test_arithmetic_with_series() -> None:
    pd = pytest.importorskip("pandas")
    series, x = pd.Series([1.0, 2.0], index=["a", "b"]), Value(3.0)
    for y in (
        series * x,
        x * series,
        np.exp(series * x).map(lambda v: v.log()),
        mg.relu(series * x),
    ):
        assert [*y.index] == ["a", "b"]
        assert data(y).tolist() == [3.0, 6.0]
    assert (series * x).sum().data == 9.0
    assert [*(series < x)] == [*(x > series)] == [True, True]
    assert [*(x != series)] == [True, True]
    of_floats = mg.exp(series)
    assert (type(of_floats), of_floats.dtype) == (pd.Series, np.float64)
    assert mg.mean(series) == 1.5
    assert nn.mse_loss(values(1.0, 4.0), series).data == 2.0
    neuron = nn.Neuron(2)
    assert neuron(series).data == neuron([1.0, 2.0]).data


class Table:
    """As the DataFrames of pandas and Polars: its items are the names of columns."""

    def __init__(self) -> None:
        self.columns = ["x", "y"]
        self.shape = (2, 2)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def to_numpy(self) -> Any:
        return np.array([[0.5, 0.25], [0.125, 0.75]])


def dataframe() -> Any:
    return pytest.importorskip("pandas").DataFrame(Table().to_numpy(), columns=["x", "y"])


@pytest.mark.parametrize("make", [Table, dataframe])
def test_errors_about_a_dataframe_name_the_array_in_it(make: Any) -> None:
    frame = make()
    array = frame.to_numpy()
    layer, neuron = nn.Layer(2, 2), nn.Neuron(2)
    model = nn.MLP(2, [2])
    for name, f in {
        "exp": mg.exp,
        "maximum": lambda x: mg.maximum(x, 0.0),
        "where": lambda x: mg.where(True, x, 0.0),
        "sum": mg.sum,
        "mean": mg.mean,
        "softmax": lambda x: mg.softmax(x),
        "logsumexp": mg.logsumexp,
        "mse_loss": lambda x: nn.mse_loss(array, x),
        "binary_cross_entropy": lambda x: nn.binary_cross_entropy(x, array),
        "cross_entropy": lambda x: nn.cross_entropy(x, [0, 1]),
        "Layer": layer,
        "Neuron": neuron,
        "MLP": model,
        "grad: argument 0": mg.grad(lambda x: mg.sum(x)),
        "grad: the result of <lambda>": lambda x: mg.grad(lambda v: x)(1.0),
        "jacobian: argument 0": mg.jacobian(lambda x: x),
    }.items():
        with pytest.raises(TypeError) as caught:
            f(frame)
        message = str(caught.value)
        assert message.startswith(name.replace("MLP", "Layer")), message
        assert message.endswith(
            f"got <{make().__class__.__name__} of shape (2, 2)>; use its to_numpy()"
        )
        if "result" not in name and name != "softmax":
            f(array)
    with pytest.raises(TypeError, match=r"^Value: .*of shape \(2, 2\)>; call it on each element$"):
        Value(frame)


def test_a_compiled_function_names_the_array_in_a_dataframe() -> None:
    frame = dataframe()
    with pytest.raises(mg.CompileError, match=r"of a Series or DataFrame its to_numpy\(\)\)$"):
        mg.compile(mg.sum)(frame)
    assert mg.compile(mg.sum)(frame.to_numpy()) == 1.625


def test_errors_show_arrays_in_one_line() -> None:
    with pytest.raises(TypeError) as caught:
        Value(np.array([[1.0, 2.0], [3.0, 4.0]]))  # type: ignore[arg-type]
    text = "array([[1., 2.], [3., 4.]])"
    assert str(caught.value) == f"Value: expected a number, got {text}; call it on each element"
    with pytest.raises(TypeError, match="got 'two  spaces'; convert it"):
        mg.exp("two  spaces")  # type: ignore[call-overload]


def test_the_bytes_of_an_array() -> None:
    doubles = np.array([[1.0, 2.0], [3.0, 4.0]])
    for x in (doubles, doubles.T.copy().T, doubles.astype(np.float32), doubles.astype(int)):
        assert trees.holds_doubles(x)
        assert trees.to_bytes(x) == doubles.tobytes()
    for typecode in "df":
        numbers = array(typecode, [1.0, 2.0])
        assert trees.holds_doubles(numbers)
        assert trees.to_bytes(numbers) == array("d", [1.0, 2.0]).tobytes()
    for x in (np.array(["a"]), np.array([Value(1.0)]), [1.0]):
        assert not trees.holds_doubles(x)
        with pytest.raises(TypeError, match="expected an array of floats"):
            trees.to_bytes(x)
