"""Error messages: short whatever was passed, in the user's own words, with what to do instead."""

import builtins
import copy
import math
import pickle
import re
from collections.abc import Callable
from inspect import ismodule
from pathlib import Path
from typing import Any

import pytest

import microgradlib as mg
import microgradlib.math as mg_math
from microgradlib import Value, data, nn, optim, random, safetensors
from microgradlib.absent import ABSENT, OTHERS
from microgradlib.core.table import PRIMITIVES
from microgradlib.errors import short, shorten

LONGEST = 320  # characters of a message
any_mg: Any = mg
any_nn: Any = nn
any_optim: Any = optim


def nested(depth: int) -> Any:
    x: Any = Value(1.0)
    for _ in range(depth):
        x = [x]
    return x


class Wordy:
    def __repr__(self) -> str:
        return "wordy " * 10_000


HUGE: dict[str, Any] = {
    "many Values": [Value(float(i)) for i in range(10_000)],
    "many numbers": [float(i) for i in range(10_000)],
    "a text": "word " * 10_000,
    "a deep nest": nested(150),
    "a dict": {f"key {i}": Value(1.0) for i in range(10_000)},
    "a set of texts": {"word " * i for i in range(1, 100)},
    "an int": 10**5000,
    "a negative int": -(10**5000),
    "a labelled Value": Value(2.0, "label " * 10_000),
    "an object": Wordy(),
    "a name": type("Name" * 1000, (), {})(),
}

small = Value(2.0)
layer = nn.Layer(2, 1)
sgd = optim.SGD([small], lr=0.1, momentum=0.9)

MISUSES: list[Callable[[Any], object]] = [
    lambda big: Value(big),
    lambda big: Value(2.0, big),
    lambda big: small + big,
    lambda big: small**big,
    lambda big: float(big + small),
    lambda big: any_mg.exp(big),
    lambda big: any_mg.sum(big),
    lambda big: any_mg.sum([small, big]),
    lambda big: any_mg.mean(big),
    lambda big: any_mg.softmax([{"a": big}, 1.0]),
    lambda big: any_mg.dot(big, [1.0]),
    lambda big: any_mg.select(big, 1),
    lambda big: any_mg.select([1.0, 2.0], big),
    lambda big: any_mg.clip(small, big, 1.0),
    lambda big: any_mg.clip(small, big, -1e9),
    lambda big: any_mg.leaky_relu(small, big),
    lambda big: any_mg.gelu(small, big),
    lambda big: any_mg.log(-big),
    lambda big: mg_math.frexp(big),
    lambda big: mg_math.ldexp(small, big),
    lambda big: mg_math.dist([small], big),
    lambda big: any_mg.grad(big),
    lambda big: any_mg.grad(abs, big)(1.0),
    lambda big: any_mg.grad(abs)(big),
    lambda big: any_mg.grad(lambda x: big)(1.0),
    lambda big: any_mg.value_and_grad(lambda x: big, has_aux=True)(1.0),
    lambda big: any_mg.jacobian(lambda x: [x, "a"])(big),
    lambda big: any_mg.jvp(abs, (1.0,), (big,)),
    lambda big: any_mg.jvp(abs, big, big),
    lambda big: any_mg.vjp(abs, 1.0)[1](big),
    lambda big: any_mg.gradcheck(big, 1.0),
    lambda big: any_mg.gradcheck(abs, big, order=big),
    lambda big: any_mg.gradcheck(abs, 1.0, eps=big),
    lambda big: any_mg.gradcheck_module(big, abs),
    lambda big: any_mg.compile(big),
    lambda big: any_mg.compile(abs, maxsize=big),
    lambda big: any_mg.compile(lambda x: [x, Wordy()])(1.0),
    lambda big: any_mg.compile(lambda x, y: x)(1.0, {1: Wordy()}),
    lambda big: any_mg.primitive(big),
    lambda big: any_mg.primitive(lambda y, x: big)(lambda x: x)(small),
    lambda big: any_nn.Neuron(big),
    lambda big: any_nn.Layer(2, 1, big),
    lambda big: any_nn.MLP(2, big),
    lambda big: layer(big),
    lambda big: layer([big, big]),
    lambda big: layer.load_state_dict(big),
    lambda big: layer.load_state_dict({"weight": big, "bias": big}),
    lambda big: layer.load_state_dict({"weight": [[1.0, 1.0]], "bias": [big]}),
    lambda big: any_nn.mse_loss(big, [1.0, 2.0]),
    lambda big: any_nn.mse_loss([big], [small, small]),
    lambda big: any_nn.binary_cross_entropy(big, big),
    lambda big: any_nn.cross_entropy(big, 1),
    lambda big: any_nn.cross_entropy(big, 10_001),
    lambda big: any_nn.cross_entropy([small, small], big),
    lambda big: any_optim.SGD(big, 0.1),
    lambda big: any_optim.SGD([small], big),
    lambda big: any_optim.SGD([small], 0.1, nesterov=big),
    lambda big: any_optim.Adam([small], betas=big),
    lambda big: any_optim.Adam([small], betas=(0.9, big)),
    lambda big: sgd.load_state_dict(big),
    lambda big: sgd.load_state_dict({"lr": 0.1, "momentum_buffer": big}),
    lambda big: sgd.load_state_dict({"lr": 0.1, str(type(big)) * 100: big}),
    lambda big: any_mg.manual_seed(big),
    lambda big: random.randperm(big),
    lambda big: random.uniform(big, 1.0),
    lambda big: random.normal(0.0, big),
    lambda big: random.set_state(big),
    lambda big: any_mg.save(big, 3),
    lambda big: any_mg.save({"state": big}, big),
    lambda big: any_mg.load(big),
    lambda big: any_mg.draw(big, max_nodes=0),
    lambda big: any_mg.draw(small, model=big),
    lambda big: any_mg.draw(small, engine=big),
    lambda big: any_mg.draw(small, direction=big),
    lambda big: any_mg.explain(small * 2.0).save(big),
    lambda big: any_mg.draw(small, max_nodes=big),
    lambda big: any_mg.explain(big),
    lambda big: any_mg.explain(small * small).why(big),
]


@pytest.mark.parametrize("kind", HUGE)
def test_no_message_is_long(kind: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    big = HUGE[kind]
    messages = [message for misuse in MISUSES if (message := message_of(misuse, big))]
    assert not [message for message in messages if len(message) > LONGEST]
    assert len(messages) >= 0.6 * len(MISUSES)


def message_of(misuse: Callable[[Any], object], big: Any) -> str:
    try:
        misuse(big)
    except OSError:  # of the file system, which echoes the path
        return ""
    except Exception as error:
        return str(error)
    return ""


def test_errors_about_huge_graphs_are_short() -> None:
    xs = [Value(1e308, "label " * 1000) for _ in range(10_000)]
    with pytest.raises(mg.NonFiniteError) as caught:
        mg.sum(xs).backward()
    assert len(str(caught.value)) <= LONGEST
    with pytest.raises(ValueError, match="softmax") as outside:
        any_mg.softmax([Value(math.inf)] * 10_000)
    assert len(str(outside.value)) <= LONGEST
    xs[0].grad = "a text " * 1000
    with pytest.raises(TypeError, match="set to") as there:
        (xs[0] * 1e-300).backward()
    assert len(str(there.value)) <= LONGEST
    xs[1].grad = math.nan
    with pytest.raises(mg.NonFiniteError) as bad:
        optim.SGD(xs[1:], 0.1).step()
    assert len(str(bad.value)) <= LONGEST
    with pytest.raises(TypeError, match="a number is no") as names:
        mg.grad(lambda x: x)({f"{'key' * 1000}": "a number is no"})
    assert len(str(names.value)) <= LONGEST
    outputs = iter(range(10**9))
    with pytest.raises(mg.GradcheckError, match="not deterministic") as random_outputs:
        mg.gradcheck(lambda x: [x + next(outputs) for _ in range(10_000)], 1.0)
    assert len(str(random_outputs.value)) <= LONGEST


def test_the_beginning_and_the_end_are_shown() -> None:
    assert shorten("a" * 80) == "a" * 80
    assert shorten("a" * 60 + "b" * 40) == "a" * 57 + "..." + "b" * 20
    assert short({1: [2.0] * 9}) == "{1: [2.0, 2.0, 2.0, 2.0, ...]}"
    assert short("it's") == '"it\'s"'
    assert len(short(10**5000)) <= 80


def differentiate(y: Any, x: Any) -> None:
    """Take the first and the second derivative."""
    y.backward(create_graph=True)
    x.grad.backward()


# Operations are named as a user writes them.


def test_a_negative_base_has_brackets() -> None:
    for f in (lambda x: x**0.5, lambda x: (-8.0) ** (x + 8.5)):
        with pytest.raises(ValueError, match=r"^\(-8\.0\) \*\* 0\.5: not defined there"):
            f(Value(-8.0))


SECOND: list[tuple[Callable[[Any], Any], float, str]] = [
    (lambda x: x**1.5, 0.0, "(x ** 1.5)'"),
    (mg.cbrt, 0.0, "cbrt'"),
    (mg.asin, 1.0, "asin'"),
    (mg.sqrt, 0.0, "sqrt"),
    (lambda x: 1.0 / x, 1e-200, "/"),
]


@pytest.mark.parametrize(("f", "point", "name"), SECOND)
def test_derivatives_are_named_by_what_they_are_derivatives_of(
    f: Callable[[Any], Any], point: float, name: str
) -> None:
    x = Value(point, "x")
    with mg.allow_nonfinite():
        f(x).backward(create_graph=True)
    first, x.grad = x.grad, 0.0
    with pytest.raises((mg.NonFiniteError, ArithmeticError, ValueError)) as caught:
        differentiate(first, x)
    internal = [row.name for row in PRIMITIVES.values() if row.helper and "_" in row.name]
    assert name in str(caught.value)
    assert not [word for word in [*internal, "direction"] if word in str(caught.value)]


# Names that do not exist say what does.

SUBJECTS: dict[str, Any] = {
    "microgradlib": mg,
    "microgradlib.autograd": mg.autograd,
    "microgradlib.nn": nn,
    "microgradlib.nn.functional": nn.functional,
    "microgradlib.nn.init": nn.init,
    "microgradlib.nn.utils": nn.utils,
    "microgradlib.optim": optim,
    "microgradlib.data": data,
    "microgradlib.optim.lr_scheduler": optim.lr_scheduler,
    "microgradlib.random": random,
    "microgradlib.safetensors": safetensors,
    "Value": small,
    "Module": layer,
    "Parameter": nn.Parameter([[1.0, 2.0]]),
}


@pytest.mark.parametrize("owner", ABSENT)
def test_names_of_other_libraries_say_what_to_use(owner: str) -> None:
    subject = SUBJECTS[owner]
    for name, remedy in ABSENT[owner].items():
        assert not hasattr(subject, name), f"{owner}.{name} exists: take it out of the table"
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'; ") as caught:
            getattr(subject, name)
        assert str(caught.value).endswith(remedy)
        assert len(str(caught.value)) <= 180
    end = f"; {OTHERS[owner]}" if owner in OTHERS else ""
    with pytest.raises(AttributeError, match=rf"has no attribute 'nonsense'{end}$"):
        _ = subject.nonsense
    assert getattr(subject, "nonsense", None) is None


CODE = re.compile(r"(?<=^write )[^it].*|[\w.]+\((?:[^()]|\([^()]*\))*\)")
WORDS = re.compile(r"\.?[A-Za-z_][\w.]*(?<!\.)")
PLAIN_WORDS = """
a an and are array arrays as assign attribute bit built by call choose class concatenate ddof
derivative devices divide each every floats for from function functions have import in indices is it
iterable jac lists loop loss make mode Module module modules multiply needed nested no nothing
number numbers NumPy of on one operations optimizer or other over pass Python PyTorch random read
row s sampler scipy.optimize.minimize set so steps take tensors the them then there to types use
Values with write writes
"""


@pytest.mark.parametrize("owner", ABSENT)
def test_what_to_use_exists_and_works(owner: str, tmp_path: Path) -> None:
    """The code in each remedy is run, and every other name in it is looked up."""
    x, model = Value(0.5), nn.Layer(2, 1)
    subject = {"Value": x, "Module": model}.get(owner) or SUBJECTS[owner]
    places = [subject, x, model, optim.SGD([x], lr=0.1), mg, nn, builtins]
    path = tmp_path / "state.json"
    mg.save(model.state_dict(), path)
    samples: dict[str, Any] = {
        "x": x,
        "v": x,
        "y": 2.0,
        "xs": [x, x],
        "ws": [1.0, x],
        "loss": x * x,
        "low": 0.0,
        "high": 1.0,
        "mean": 0.0,
        "std": 1.0,
        "n": 3,
        "i": 2,
        "seed": 1,
        "weights": [1.0, 2.0, 3.0],
        "state": random.get_state(),
        "nin": 2,
        "nout": 1,
        "nouts": [2, 1],
        "activation": "tanh",
        "f": lambda x: x * x,
        "module": model,
        "name": "part",
        "p": nn.Parameter([[1.0, 2.0]]),
        "path": path,
        "microgradlib": mg,
    }

    class Names(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            assert any(hasattr(place, name) for place in places), f"{owner}: there is no {name}"
            return next(getattr(place, name) for place in places if hasattr(place, name))

    for name, remedy in ABSENT[owner].items():
        assert remedy
        for code in CODE.findall(remedy):
            eval(code, {}, Names(samples))
        for word in WORDS.findall(CODE.sub("", remedy)):
            if word not in PLAIN_WORDS.split():
                found = eval(word.strip("."), {}, Names(samples))
                assert found in (data, random) or not ismodule(found) or hasattr(mg_math, name)


DIVMOD = "divmod(x, y): not defined for Values; use microgradlib.math.floor(x / y) and x % y"


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda x: x ^ 2, "x ^ y: not defined for Values; write x ** y for a power"),
        (lambda x: 2 ^ x, "x ^ y: not defined for Values; write x ** y for a power"),
        (lambda x: x // 2, "x // y: not defined for Values; use microgradlib.math.floor(x / y)"),
        (lambda x: 2.0 // x, "x // y: not defined for Values; use microgradlib.math.floor(x / y)"),
        (lambda x: divmod(x, 2), DIVMOD),
        (lambda x: divmod(2, x), DIVMOD),
        (
            lambda x: x @ [1.0],
            "x @ y: not defined for Values; use microgradlib.dot(xs, ys) for lists of numbers",
        ),
        (
            lambda x: [1.0] @ x,
            "x @ y: not defined for Values; use microgradlib.dot(xs, ys) for lists of numbers",
        ),
    ],
)
def test_operators_that_do_not_exist_say_what_to_use(
    compute: Callable[[Any], Any], message: str
) -> None:
    with pytest.raises(TypeError) as caught:
        compute(small)
    assert str(caught.value) == message


def test_what_looks_for_attributes_is_not_misled() -> None:
    x = copy.deepcopy(small)
    assert (x.data, pickle.loads(pickle.dumps(x)).data) == (2.0, 2.0)
    assert copy.deepcopy(layer).state_dict() == layer.state_dict()
    assert pickle.loads(pickle.dumps(layer)).state_dict() == layer.state_dict()
    for name in ("__array__", "__array_interface__", "__array_struct__", "__len__", "tolist"):
        assert not hasattr(small, name)
    numpy = pytest.importorskip("numpy")
    assert numpy.exp(numpy.array([small], dtype=object))[0].data == math.exp(2.0)


class Model(nn.Module):
    weights = 3

    @property
    def broken(self) -> object:
        return self.missing_part


def test_a_class_may_define_such_names_and_its_properties_may_fail() -> None:
    model: Any = Model()
    model.to = "here"
    assert (model.weights, model.to) == (3, "here")
    with pytest.raises(AttributeError, match="'Model' object has no attribute 'missing_part'"):
        _ = model.broken


def test_the_constructor_and_the_backward_of_the_lecture() -> None:
    a, b = Value(1.0), Value(2.0)
    remedy = r"for an operation of your own, decorate it with microgradlib\.primitive\(partials\)$"
    for make in (
        lambda: any_mg.Value(3.0, (a, b), "+"),
        lambda: any_mg.Value(3.0, (a, b)),
        lambda: any_mg.Value(3.0, (), "+", "c"),
    ):
        with pytest.raises(TypeError, match=rf"^Value: a leaf has no inputs, got .*; {remedy}"):
            make()
    with pytest.raises(TypeError, match=r"^Value: label must be a str, got 'a'"):
        any_mg.Value(3.0, "a", "b")
    out: Any = a * b
    with pytest.raises(AttributeError, match=rf"^Value\._backward cannot be assigned; {remedy}"):
        out._backward = lambda: None
    out.grad = 1.0
    out._backward()
    assert (a.grad, b.grad) == (2.0, 1.0)


class Table:
    """Has what tables of pandas have, whose texts take several lines."""

    def __init__(self, shape: tuple[int, int] | None) -> None:
        if shape:
            self.shape = shape

    def to_numpy(self) -> None: ...


class Lines:
    def __repr__(self) -> str:
        return "one\n   two"


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (Table((2, 3)), "<Table of shape (2, 3)>"),
        (Table(None), "<Table of shape unknown>"),
        (Lines(), "one two"),
    ],
)
def test_objects_are_shown_on_one_line(x: object, shown: str) -> None:
    with pytest.raises(TypeError) as caught:
        mg.exp(x)  # type: ignore[type-var]
    assert f"got {shown};" in str(caught.value)
