"""Other packages: optimizers, solvers and fits take our derivatives, and their numbers go in.

Each derivative is compared with one that the other package computes itself.
"""

import math
from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from operator import add, mod, mul, sub, truediv
from operator import pow as pow_
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value
from microgradlib import math as mgmath
from microgradlib.errors import NonFiniteError

np: Any = pytest.importorskip("numpy")

TIMES = np.linspace(0.0, 4.0, 9)
MEASURED = 5.0 * np.exp(-0.5 * TIMES) + 0.01 * np.cos(7.0 * TIMES)
BEST = [5.0048639, 0.5007935]


def decay(t: Any, a: Any, b: Any) -> Any:
    return a * np.exp(-b * t)


def residuals(p: Any) -> Any:
    return decay(TIMES, p[0], p[1]) - MEASURED


def valley(x: Any) -> Any:
    return mg.sum([100.0 * (b - a**2) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x)])


def differences(f: Callable[[Any], Any], x: Any) -> Any:
    """Return SciPy's own estimate of a gradient or Jacobian."""
    numdiff: Any = pytest.importorskip("scipy.optimize._numdiff")
    return numdiff.approx_derivative(f, np.asarray(x, float), method="3-point")


# SciPy.

START = [-1.2, 1.0, 0.5]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("BFGS", {}),
        ("CG", {}),
        ("L-BFGS-B", {}),
        ("SLSQP", {}),
        ("Newton-CG", {}),
        ("Newton-CG", {"hess": mg.hessian(valley)}),
        ("Newton-CG", {"hessp": lambda x, v: mg.hvp(valley, (x,), (v,))[0]}),
        ("trust-ncg", {"hess": mg.hessian(valley)}),
        ("trust-krylov", {"hess": mg.hessian(valley)}),
        ("trust-exact", {"hess": mg.hessian(valley)}),
        ("trust-constr", {"hess": mg.hessian(valley)}),
        ("trust-constr", {"hessp": lambda x, v: mg.hvp(valley, (x,), (v,))[0]}),
    ],
)
def test_minimizers(method: str, options: dict[str, Any]) -> None:
    optimize: Any = pytest.importorskip("scipy.optimize")
    f = mg.value_and_grad(valley)
    result = optimize.minimize(f, START, jac=True, method=method, **options)
    assert result.x == pytest.approx(np.ones(3), abs=1e-3)


def test_the_derivatives_that_minimizers_get() -> None:
    for x in (START, [2.0, -0.3, 1.7]):
        assert mg.grad(valley)(np.array(x)) == pytest.approx(differences(valley, x), rel=1e-7)
        of_gradient = differences(mg.grad(valley), x)
        assert mg.hessian(valley)(np.array(x)) == pytest.approx(of_gradient, rel=1e-6, abs=1e-5)


def test_constraints() -> None:
    optimize: Any = pytest.importorskip("scipy.optimize")

    def circle(p: Any) -> Any:
        return 1.0 - p[0] ** 2 - p[1] ** 2

    constraint = {"type": "ineq", "fun": circle, "jac": mg.grad(circle)}
    f = mg.value_and_grad(lambda p: p[0] + 2.0 * p[1])
    result = optimize.minimize(f, [0.5, 0.5], jac=True, method="SLSQP", constraints=constraint)
    assert result.x == pytest.approx(np.array([-1.0, -2.0]) / math.sqrt(5.0), abs=1e-6)


@pytest.mark.parametrize(
    ("method", "loss"),
    [("lm", "linear"), ("trf", "linear"), ("trf", "soft_l1"), ("dogbox", "linear")],
)
def test_least_squares(method: str, loss: str) -> None:
    optimize: Any = pytest.importorskip("scipy.optimize")
    jacobian = mg.jacobian(residuals)
    fit = optimize.least_squares(residuals, [1.0, 1.0], jac=jacobian, method=method, loss=loss)
    assert fit.x == pytest.approx(BEST, rel=1e-4)
    assert jacobian(fit.x) == pytest.approx(differences(residuals, fit.x), rel=1e-7, abs=1e-9)


def test_curve_fit() -> None:
    optimize: Any = pytest.importorskip("scipy.optimize")

    def jacobian(t: Any, *p: float) -> Any:
        return mg.jacobian(lambda p: decay(t, *p))(np.array(p))

    best, covariance = optimize.curve_fit(decay, TIMES, MEASURED, [1.0, 1.0], jac=jacobian)
    by_differences, expected = optimize.curve_fit(decay, TIMES, MEASURED, [1.0, 1.0])
    assert best == pytest.approx(BEST, rel=1e-6)
    assert best == pytest.approx(by_differences, rel=1e-6)
    assert covariance == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("method", ["hybr", "lm"])
def test_roots_of_systems(method: str) -> None:
    optimize: Any = pytest.importorskip("scipy.optimize")

    def f(p: Any) -> Any:
        return np.array([p[0] ** 2 + p[1] ** 2 - 2.0, p[0] - p[1]])

    found = optimize.root(f, [2.0, 0.5], jac=mg.jacobian(f), method=method)
    assert found.x == pytest.approx([1.0, 1.0])
    assert mg.jacobian(f)(found.x) == pytest.approx(differences(f, found.x), abs=1e-7)


def test_roots_of_functions() -> None:
    optimize: Any = pytest.importorskip("scipy.optimize")

    def f(x: Any) -> Any:
        return mg.exp(x) - 2.0 * x - 2.0

    slope = mg.grad(f)
    by_brackets = optimize.brentq(f, 0.0, 5.0)
    assert optimize.newton(f, 3.0, fprime=slope) == pytest.approx(by_brackets)
    assert optimize.newton(f, 3.0, fprime=slope, fprime2=mg.grad(slope)) == pytest.approx(
        by_brackets
    )
    scalar = optimize.root_scalar(f, x0=3.0, fprime=slope, fprime2=mg.grad(slope), method="halley")
    assert scalar.root == pytest.approx(by_brackets)


def test_a_value_in_a_solver_raises_or_goes_through_a_primitive() -> None:
    optimize: Any = pytest.importorskip("scipy.optimize")
    for solve in (
        lambda a: optimize.brentq(lambda x: x**3 - a, 0.0, 9.0),
        lambda a: optimize.newton(lambda x: x**3 - a, 1.0),
        lambda a: optimize.root(lambda x: x**3 - a, 1.0).x[0],
    ):
        with pytest.raises(Exception, match=r"float|not supported"):
            mg.grad(solve)(8.0)
        root = mg.primitive(lambda x, a: (1.0 / (3.0 * x**2),))(solve)
        assert mg.grad(root)(8.0) == pytest.approx(1.0 / 12.0)
        assert mg.grad(mg.grad(root))(8.0) == pytest.approx(-1.0 / 144.0)


@pytest.mark.parametrize("method", ["Radau", "BDF", "LSODA"])
def test_stiff_differential_equations(method: str) -> None:
    integrate: Any = pytest.importorskip("scipy.integrate")

    def reaction(t: float, y: Any) -> Any:
        slow, fast = 0.04 * y[0] - 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
        return np.array([-slow, slow - fast, fast])

    jacobian = mg.jacobian(reaction, 1)
    y = [0.9, 2e-5, 0.1]
    assert jacobian(0.0, np.array(y)) == pytest.approx(
        differences(lambda y: reaction(0.0, y), y), rel=1e-6, abs=1e-6
    )
    ours, theirs = (
        integrate.solve_ivp(
            reaction, (0.0, 40.0), [1.0, 0.0, 0.0], method=method, rtol=1e-6, atol=1e-10, **given
        )
        for given in ({"jac": jacobian}, {})
    )
    assert ours.success
    assert ours.y[:, -1] == pytest.approx(theirs.y[:, -1], rel=1e-4)


# lmfit and iminuit.


def of_free(parameters: Any) -> Any:
    """Return the Jacobian of the residuals in the parameters that vary."""
    known = parameters.valuesdict()
    names = [name for name, p in parameters.items() if p.vary]

    def f(free: Any) -> Any:
        return residuals([*(known | dict(zip(names, free, strict=True))).values()])

    return mg.jacobian(f)(np.array([known[name] for name in names]))


@pytest.mark.parametrize("method", ["leastsq", "least_squares"])
@pytest.mark.parametrize(
    "bounds", [{}, {"min": 0.0, "max": 9.0}, {"max": 4.0}, {"value": 5.0, "vary": False}], ids=str
)
def test_lmfit_takes_the_jacobian(method: str, bounds: dict[str, Any]) -> None:
    lmfit: Any = pytest.importorskip("lmfit")
    start = lmfit.create_params(a={"value": 1.0, **bounds}, b={"value": 1.0, "min": 0.0})
    ours, theirs = (
        lmfit.minimize(lambda p: residuals([*p.valuesdict().values()]), start, method, **given)
        for given in ({"Dfun": of_free}, {})
    )
    assert ours.nfev < theirs.nfev
    for name, p in theirs.params.items():
        assert ours.params[name].value == pytest.approx(p.value, rel=1e-4)
    if bounds != {"max": 4.0}:  # at a bound there is no error
        assert ours.params["b"].stderr == pytest.approx(theirs.params["b"].stderr, rel=1e-3)


@pytest.mark.parametrize("method", ["bfgs", "cg", "lbfgsb", "newton", "tnc", "trust-constr"])
def test_lmfit_takes_the_gradient(method: str) -> None:
    lmfit: Any = pytest.importorskip("lmfit")

    def gradient(parameters: Any) -> Any:
        p = np.array([*parameters.valuesdict().values()])
        return mg.grad(lambda p: (residuals(p) ** 2).sum())(p)

    start = lmfit.create_params(a=4.0, b=0.7)
    fit = lmfit.minimize(
        lambda p: residuals([*p.valuesdict().values()]), start, method, Dfun=gradient
    )
    assert [*fit.params.valuesdict().values()] == pytest.approx(BEST, rel=1e-3)


def test_models_of_lmfit() -> None:
    lmfit: Any = pytest.importorskip("lmfit")
    model = lmfit.Model(decay, independent_vars=["t"])

    def jacobian(parameters: Any, data: Any, weights: Any, t: Any) -> Any:
        p = np.array([*parameters.valuesdict().values()])
        return -mg.jacobian(lambda p: model.func(t, *p))(p)  # of data - model

    fit = model.fit(MEASURED, t=TIMES, a=1.0, b=1.0, fit_kws={"Dfun": jacobian})
    assert [*fit.best_values.values()] == pytest.approx(BEST, rel=1e-6)
    with pytest.raises(TypeError, match="would drop the gradient"):
        model.eval(t=TIMES, a=Value(1.0), b=0.5)
    with pytest.raises(TypeError, match="would drop the gradient"):
        lmfit.Parameter("a", value=Value(1.0))


SHAPES = """
    gaussian lorentzian pvoigt moffat pearson4 pearson7 breit_wigner damped_oscillator dho logistic
    lognormal doniach step rectangle parabolic sine expsine split_lorentzian
"""


@pytest.mark.parametrize("name", SHAPES.split())
def test_line_shapes_of_lmfit(name: str) -> None:
    shapes: Any = pytest.importorskip("lmfit.lineshapes")
    x = TIMES + 0.1

    def f(p: Any) -> Any:
        return mg.sum(getattr(shapes, name)(x, *p) * np.cos(x))

    p = np.array([1.2, 1.33, 0.71])
    assert mg.grad(f)(p) == pytest.approx(differences(f, p), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(
    "name", ["voigt", "expgaussian", "skewed_gaussian", "students_t", "thermal_distribution"]
)
def test_line_shapes_of_lmfit_that_refuse_values(name: str) -> None:
    shapes: Any = pytest.importorskip("lmfit.lineshapes")
    with pytest.raises(TypeError):
        mg.grad(lambda p: mg.sum(getattr(shapes, name)(TIMES + 0.1, *p)))([1.2, 1.33, 0.71])


def test_lmfit_refuses_columns_of_fixed_parameters() -> None:
    lmfit: Any = pytest.importorskip("lmfit")
    start = lmfit.create_params(a=5.0, b={"value": 1.0, "vary": False})

    def of_all(parameters: Any) -> Any:
        return mg.jacobian(residuals)(np.array([*parameters.valuesdict().values()]))

    with pytest.raises(ValueError, match="changed size"):
        lmfit.minimize(lambda p: residuals([*p.valuesdict().values()]), start, Dfun=of_all)


COSTS: dict[str, Callable[[Any], tuple[Any, list[float]]]] = {
    "LeastSquares": lambda cost: (cost.LeastSquares(TIMES, MEASURED, 0.1, decay), [4.0, 0.6]),
    "soft_l1": lambda cost: (
        cost.LeastSquares(TIMES, MEASURED, 0.1, decay, loss="soft_l1"),
        [4.0, 0.6],
    ),
    "UnbinnedNLL": lambda cost: (
        cost.UnbinnedNLL(TIMES + 0.1, lambda x, a: np.exp(-x / a) / a),
        [1.3],
    ),
    "ExtendedUnbinnedNLL": lambda cost: (
        cost.ExtendedUnbinnedNLL(
            TIMES + 0.1, lambda x, n, a: (n * (1.0 - np.exp(-5.0 / a)), n * np.exp(-x / a) / a)
        ),
        [8.0, 1.3],
    ),
    "BinnedNLL": lambda cost: (
        cost.BinnedNLL([4, 2, 2, 1], [0.0, 1.0, 2.0, 3.0, 5.0], lambda x, a: 1.0 - np.exp(-x / a)),
        [1.3],
    ),
    "ExtendedBinnedNLL": lambda cost: (
        cost.ExtendedBinnedNLL(
            [4, 2, 2, 1], [0.0, 1.0, 2.0, 3.0, 5.0], lambda x, n, a: n * (1.0 - np.exp(-x / a))
        ),
        [8.0, 1.3],
    ),
    "sum": lambda cost: (
        cost.LeastSquares(TIMES, MEASURED, 0.1, decay) + cost.NormalConstraint("a", 4.5, 0.2),
        [4.0, 0.6],
    ),
}


@pytest.mark.filterwarnings("ignore:.*numba")
@pytest.mark.parametrize("name", COSTS)
def test_costs_of_iminuit(name: str) -> None:
    iminuit: Any = pytest.importorskip("iminuit")
    cost, p = COSTS[name](pytest.importorskip("iminuit.cost"))
    gradient = mg.grad(cost, tuple(range(len(p))))
    assert gradient(*p) == pytest.approx(differences(lambda p: cost(*p), p), rel=1e-6, abs=1e-7)
    ours, theirs = (iminuit.Minuit(cost, *p, grad=given).migrad() for given in (gradient, None))
    assert ours.valid
    assert (ours.ngrad > 0, theirs.ngrad) == (True, 0)
    assert [*ours.values] == pytest.approx([*theirs.values], rel=1e-3)
    assert [*ours.errors] == pytest.approx([*theirs.errors], rel=1e-2)


def test_limits_and_arrays_of_iminuit() -> None:
    iminuit: Any = pytest.importorskip("iminuit")

    def f(p: Any) -> Any:
        return mg.sum(residuals(p) ** 2) / 0.01

    m = iminuit.Minuit(f, np.array([1.0, 1.0]), grad=mg.grad(f))
    m.limits = [(0.0, 4.0), None]
    m.migrad()
    assert (m.valid, m.values[0]) == (True, pytest.approx(4.0))
    m.limits = [None, None]
    m.fixed = [False, True]
    assert m.migrad().valid
    m.fixed = False
    m.migrad().hesse()
    hessian = mg.hessian(f)(np.array(m.values))
    assert np.array(m.covariance) == pytest.approx(2.0 * np.linalg.inv(hessian), rel=1e-2)

    def diagonal(p: Any) -> Any:
        return np.diag(mg.hessian(f)(p))

    assert diagonal(np.ones(2)).min() < 0.0  # from there iminuit needs g2, and not hessian
    m = iminuit.Minuit(f, np.ones(2), grad=mg.grad(f), g2=diagonal).migrad()
    assert [*m.values] == pytest.approx(BEST, rel=1e-4)
    with pytest.raises(TypeError):
        iminuit.Minuit(lambda a: a**2, a=Value(1.0))
    with pytest.raises(RuntimeError, match="Value"):
        iminuit.Minuit(lambda a: Value(a) ** 2, a=1.0).migrad()


# SymPy.


def sinc(x: Any) -> Any:
    if abs(x) > 0.2:
        return mg.sin(x) / x
    s = x * x
    return 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110))))


def undefined(*at: Any) -> Any:
    raise ValueError(f"no case of a Piecewise holds at {at}")


NAMES = {
    "Max": lambda *xs: reduce(mg.maximum, xs),
    "Min": lambda *xs: reduce(mg.minimum, xs),
    "sinc": sinc,
    "undefined": undefined,
}


def function_of(symbols: Any, expression: Any) -> Any:
    """Return the function of an expression as docs/symbols.md does."""
    sp: Any = pytest.importorskip("sympy")
    last = sp.Function("undefined")(*symbols), True
    complete = expression.replace(sp.Piecewise, lambda *cases: sp.Piecewise(*cases, last))
    written = complete.replace(sp.frac, lambda a: a - sp.floor(a))
    return sp.lambdify(symbols, written, [NAMES, mgmath])


EXPRESSIONS = [
    "exp(-x**2)*sin(3*y) + x**y",
    "sqrt(x**2 + y**2)/(1 + x)",
    "log(x)*atan2(y, x) + asin(x/5) + acosh(1 + y)",
    "erf(x) + erfc(y)*gamma(x) + loggamma(1 + y) + beta(x, y)",
    "tanh(x)*sec(y/4) + csch(x) + cot(y)",
    "Abs(x - y)*cbrt(x) + Abs(y - 3)",
    "Max(x, y, 1)*Min(x, y, x*y)",
    "Heaviside(x - 1)*x**2 + Heaviside(y - 9, 1)*y + sign(x - y)*x*y",
    "Piecewise((x**2*y, x > 2), (sin(x*y), x > 1), (x - y, True))",
    "Piecewise((x**2*y, x > 2), (sin(x*y), x > 0))*y",
    "2*frac(x) + frac(y)**2 + floor(x)*y",
    "y*Mod(x, 2) + x/Mod(y, 3)",
    "sinc(x)*y + sinc(x*y)",
    "Sum(x**k*y, (k, 0, 3))",
    "Rational(1, 3)*x*pi + GoldenRatio*y",
]
POINTS = [(0.6, 1.7), (1.5, 0.4), (2.3, 2.9)]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_functions_of_expressions(text: str) -> None:
    sp: Any = pytest.importorskip("sympy")
    symbols = sp.symbols("x y", real=True)
    expression = sp.sympify(text, {"x": symbols[0], "y": symbols[1]})
    f = function_of(symbols, expression)
    compiled = mg.compile(mg.value_and_grad(f, (0, 1)))
    for point in POINTS:
        at = dict(zip(symbols, map(sp.Float, point), strict=True))
        value, gradient = mg.value_and_grad(f, (0, 1))(*point)
        assert value == pytest.approx(float(expression.subs(at).evalf()), rel=1e-12)
        by_differences = differences(
            lambda p: float(expression.subs(dict(zip(symbols, p, strict=True))).evalf()), point
        )
        assert gradient == pytest.approx(by_differences, rel=1e-6, abs=1e-7)
        assert compiled(*point) == (value, gradient)


def test_what_sympy_writes_out_itself() -> None:
    sp: Any = pytest.importorskip("sympy")
    x, y = sp.symbols("x y", real=True)
    half = sp.Piecewise((x**2, x > 0))
    assert sp.lambdify(x, half, mgmath)(Value(-1.0)) is None  # what function_of is for
    assert sp.lambdify(x, 2 * sp.frac(x), mgmath)(0.75) == 0.5
    for f in (function_of([x], half), function_of([x], sp.exp(1 + half))):
        assert mg.grad(f)(2.0) > 0.0
        with pytest.raises(ValueError, match=r"no case of a Piecewise holds at \(Value"):
            mg.grad(f)(-1.0)
    assert mg.value_and_grad(function_of([x], 2 * sp.frac(x)))(0.75) == (1.5, 2.0)
    assert mg.grad(function_of([x, y], sp.Max(x, y)), (0, 1))(1.0, 1.0) == (0.5, 0.5)
    assert math.isnan(function_of([x], sp.Max(x, 0))(Value(math.nan)).data)
    for order, expected in enumerate([1.0, 0.0, -1.0 / 3.0, 0.0, 1.0 / 5.0]):
        f = function_of([x], sp.sinc(x))
        for _ in range(order):
            f = mg.grad(f)
        assert f(0.0) == pytest.approx(expected, abs=1e-14)
        assert f(0.2) == pytest.approx(f(0.2000001), abs=1e-6)  # where the formula changes


@pytest.mark.parametrize("text", ["erfinv(x)", "besselj(0, x)", "LambertW(x)", "factorial(x)"])
def test_functions_that_the_module_lacks(text: str) -> None:
    sp: Any = pytest.importorskip("sympy")
    expression = sp.sympify(text)
    (x,) = expression.free_symbols
    with pytest.raises((NameError, TypeError)):
        mg.grad(sp.lambdify(x, expression, mgmath))(0.5)
    name = text[: text.index("(")]
    given = mg.primitive(lambda y, *xs: [*[0.0] * (len(xs) - 1), 3.0])(lambda *xs: 2.0)
    assert mg.grad(sp.lambdify(x, expression, [{name: given}, mgmath]))(0.5) == 3.0


def test_functions_of_arrays() -> None:
    sp: Any = pytest.importorskip("sympy")
    x = sp.Symbol("x", real=True)
    points = np.array([-1.0, 0.5, 2.0])
    for expression in (
        sp.Max(x, 0) * sp.exp(x),
        sp.Heaviside(x) * x**2,
        sp.Abs(x) + sp.sign(x),
        sp.Piecewise((x**2, x > 0), (-x, True)),
        sp.erf(x) * sp.sqrt(x + 3),
    ):
        f = sp.lambdify(x, expression, [{"erf": mg.erf}, "numpy"])
        slope = sp.lambdify(x, sp.diff(expression, x), [{"DiracDelta": lambda x: 0.0}, "math"])
        gradient = mg.grad(lambda p, f=f: mg.sum(f(p)))(points)
        assert gradient == pytest.approx([slope(p) for p in points.tolist()])
    matrix = sp.lambdify([x], sp.Matrix([x**2, 3 * x]), [{"ImmutableDenseMatrix": list}, mgmath])
    assert mg.jacobian(matrix)(2.0) == [[4.0], [3.0]]


def test_numbers_of_sympy() -> None:
    sp: Any = pytest.importorskip("sympy")
    v = Value(2.0)
    assert ((v * sp.Float(2.0)).data, (v * sp.Rational(1, 4)).data) == (4.0, 0.5)
    assert mg.grad(lambda x: x**2)(sp.Rational(1, 4)) == 0.5
    for f in (lambda: sp.pi * v, lambda: sp.Symbol("x") * v, lambda: sp.sin(v)):
        with pytest.raises(TypeError, match="would drop the gradient"):
            f()


# mpmath.


def test_numbers_of_mpmath() -> None:
    mp: Any = pytest.importorskip("mpmath")
    m = mp.mpf("0.1")
    for f in OPERATORS:
        for a, b in ((m, 3.0), (3.0, m)):
            expected = mg.grad(f, (0, 1))(float(a), float(b))
            assert mg.grad(f, (0, 1))(a, b) == expected
            assert mg.grad(lambda x, f=f, b=b: f(x, b))(a) == expected[0]
            assert mg.grad(lambda x, f=f, a=a: f(a, x))(b) == expected[1]
    assert m < Value(2.0) > m
    assert type(mg.sin(m)) is type(mgmath.sin(m)) is float
    with pytest.raises(TypeError, match="cannot create mpf"):
        mp.sin(Value(2.0))


OPERATORS: list[Callable[[Any, Any], Any]] = [add, sub, mul, truediv, pow_, mod]


@pytest.mark.parametrize("name", ["erf", "gamma", "tanh", "exp", "log", "atan", "sinh", "acosh"])
def test_derivatives_of_mpmath(name: str) -> None:
    mp: Any = pytest.importorskip("mpmath")
    ours, theirs, x = getattr(mgmath, name), getattr(mp, name), 1.3
    assert mg.grad(ours)(mp.mpf(x)) == pytest.approx(float(mp.diff(theirs, x)), rel=1e-13)
    second = mg.grad(mg.grad(ours))(x)
    assert second == pytest.approx(float(mp.diff(theirs, x, 2)), rel=1e-12)
    assert float(mp.quad(ours, [1, 2])) == pytest.approx(float(mp.quad(theirs, [1, 2])), rel=1e-14)


def test_solvers_of_mpmath() -> None:
    mp: Any = pytest.importorskip("mpmath")
    root = mp.findroot(mg.cos, 1.0, solver="newton", df=mg.grad(mg.cos))
    assert float(root) == pytest.approx(math.pi / 2.0, rel=1e-15)
    assert mp.diff(mg.sin, 0.5) == 0.0  # its step is smaller than the distance of floats
    with pytest.raises(TypeError, match="cannot create mpf"):
        mp.matrix([Value(1.0), Value(2.0)])


# uncertainties.

RULES: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (lambda x, y: x * mg.tan(y), lambda u, x, y: x * u.tan(y)),
    (lambda x, y: mg.exp(-x) / (1.0 + y**2), lambda u, x, y: u.exp(-x) / (1.0 + y**2)),
    (lambda x, y: mg.hypot(x, y) ** x, lambda u, x, y: u.hypot(x, y) ** x),
    (lambda x, y: mg.lgamma(x) * mg.erf(y), lambda u, x, y: u.lgamma(x) * u.erf(y)),
]


@pytest.mark.parametrize(("ours", "theirs"), RULES)
def test_propagation_of_uncertainties(ours: Any, theirs: Any) -> None:
    uncertainties: Any = pytest.importorskip("uncertainties")
    umath: Any = pytest.importorskip("uncertainties.umath")
    x, y = uncertainties.ufloat(2.0, 0.1), uncertainties.ufloat(0.5, 0.02)
    propagated = uncertainties.wrap(ours, [mg.grad(ours, 0), mg.grad(ours, 1)])(x, y)
    expected = theirs(umath, x, y)
    assert propagated.n == pytest.approx(expected.n, rel=1e-14)
    assert propagated.s == pytest.approx(expected.s, rel=1e-6)  # lgamma has differences there
    assert (propagated - expected).s < 1e-6 * expected.s
    jacobian = np.array(mg.grad(ours, (0, 1))(x.n, y.n))
    assert propagated.s == pytest.approx(math.sqrt(jacobian**2 @ np.array([x.s, y.s]) ** 2))


def test_numbers_with_uncertainties() -> None:
    uncertainties: Any = pytest.importorskip("uncertainties")
    u, v = uncertainties.ufloat(2.0, 0.1), Value(2.0)
    for f in (lambda: u * v, lambda: v * u, lambda: mg.sin(u), lambda: mg.grad(mg.sin)(u)):
        with pytest.raises(TypeError):
            f()
    with pytest.raises(TypeError, match="would drop the gradient"):
        uncertainties.ufloat(v, 0.1)
    scale = Value(3.0)
    assert uncertainties.wrap(lambda x: x * scale)(u) is NotImplemented
    propagated = uncertainties.wrap(lambda x: (x * scale).data, [mg.grad(lambda x: x * 3.0)])(u)
    assert (propagated.n, propagated.s) == (6.0, pytest.approx(0.3))
    near = uncertainties.ufloat(1e-9, 1e-9)
    assert uncertainties.wrap(mg.exp, [mg.grad(mg.exp)])(near).s == pytest.approx(1e-9)


# pandas.

SERIES: dict[str, Callable[[Any], Any]] = {
    "sum": lambda s: (s**2).sum(),
    "prod": lambda s: s.prod(),
    "max": lambda s: s.max() * s.min(),
    "cumsum": lambda s: (s.cumsum() ** 2).sum(),
    "cumprod": lambda s: s.cumprod().sum(),
    "diff": lambda s: (s.diff() ** 2).sum(),  # the missing first one is skipped
    "shift": lambda s: (s * s.shift(1, fill_value=0.0)).sum(),
    "pct_change": lambda s: s.pct_change().iloc[1:].sum(),
    "quantile": lambda s: s.quantile(0.4),
    "abs": lambda s: (s - 2.5).abs().sum(),
    "clip": lambda s: s.clip(0.0, 3.0).sum(),
    "where": lambda s: s.where(s > 1.5, 0.0).sum(),
    "select": lambda s: (s[s > 1.5] ** 2).sum(),
    "sort_values": lambda s: s.sort_values().iloc[0] ** 2,
    "fill_value": lambda s: s.mul(s.iloc[:2], fill_value=0.0).sum(),
    "dot": lambda s: s.dot(s) + s @ s,
    "map": lambda s: s.map(mg.exp).sum() + s.apply(mg.log).sum(),
    "groupby": lambda s: (s.groupby([0, 0, 1]).sum() ** 2).sum(),
    "mean of groups": lambda s: (
        (s.groupby([0, 0, 1]).sum() / s.groupby([0, 0, 1]).size()) ** 2
    ).sum(),
    "numpy": lambda s: np.exp(-s).sum() + np.linalg.norm(s),
    "ours": lambda s: mg.mean(mg.tanh(s)) + mg.nn.mse_loss(s, [1.0, 2.0, 3.0]),
    "methods": lambda s: s.add(1).mul(s).div(3).sub(1).pow(2).sum(),
    "std": lambda s: s.to_numpy().std(ddof=1) + np.median(s.to_numpy()),
}


@pytest.mark.parametrize("dtype", ["float64", "Float64"])
@pytest.mark.parametrize("name", SERIES)
def test_methods_of_series(name: str, dtype: str) -> None:
    pd: Any = pytest.importorskip("pandas")
    f, index = SERIES[name], ["a", "b", "c"]
    series = pd.Series([1.0, 2.0, 4.0], index, dtype=dtype)
    value, gradient = mg.value_and_grad(f)(series)
    assert value == pytest.approx(float(f(series.astype(float))))
    assert (type(gradient), [*gradient.index]) == (pd.Series, index)
    by_differences = differences(lambda x: f(pd.Series(x, index)), series.astype(float))
    assert gradient.to_numpy(float) == pytest.approx(by_differences, rel=1e-6, abs=1e-8)


def test_what_series_refuse() -> None:
    pd: Any = pytest.importorskip("pandas")
    series = pd.Series([1.0, 2.0, 4.0])
    for f in (
        lambda s: s.mean(),
        lambda s: s.std(),
        lambda s: s.median(),
        lambda s: s.corr(series),
        lambda s: s.groupby([0, 0, 1]).mean().sum(),
        lambda s: s.astype(float).sum(),
    ):
        with pytest.raises(TypeError):
            mg.grad(f)(series)
    with pytest.raises(pd.errors.DataError, match="numeric"):
        mg.grad(lambda s: s.rolling(2).mean().sum())(series)
    with pytest.raises(TypeError, match="Layer: expected a number"):
        mg.nn.MLP(1, [1])(pd.DataFrame({"x": series}))
    with pytest.raises(TypeError, match="unsupported operand"):
        mg.grad(lambda rate: pd.DataFrame({"x": series}).eval("@rate * x").sum())(1.0)
    with pytest.raises(NonFiniteError):
        mg.grad(lambda s: mg.sum(s * series.iloc[:2]))(series)
    with pytest.raises(TypeError, match="argument 0"):
        mg.grad(lambda f: f.sum().sum())(pd.DataFrame({"x": series}))


def test_columns_of_frames() -> None:
    pd: Any = pytest.importorskip("pandas")
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [1.1, 2.9, 5.2, 6.8]})

    def loss(p: Any) -> Any:
        return mg.mean((p["slope"] * frame.x + p["offset"] - frame.y) ** 2)

    p = pd.Series({"slope": 0.0, "offset": 0.0})
    best = p - np.linalg.solve(mg.hessian(loss)(p), mg.grad(loss)(p))
    assert best.to_numpy() == pytest.approx(np.polyfit(frame.x, frame.y, 1))
    weights = pd.Series({"x": 1.0, "y": 2.0})
    gradient = mg.grad(lambda w: ((frame @ w) ** 2).sum())(weights)
    assert gradient.to_numpy() == pytest.approx(2.0 * frame.T @ (frame @ weights))
    assert mg.grad(lambda r: (frame * r).sum().sum())(1.0) == pytest.approx(frame.sum().sum())
    assert mg.grad(lambda r: frame.apply(lambda row: r * row.x, axis=1).sum())(1.0) == 6.0
