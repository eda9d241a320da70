"""Names of PyTorch, JAX, NumPy and micrograd that do not exist here, and what to use instead."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any, NoReturn

_TENSOR = "use nested lists, or import array from NumPy"
_NUMPY = "import it from NumPy; functions and modules take arrays"
_LISTS = "a Value is one number; use lists of Values, or NumPy arrays of them"
_TENSORS = "a Value is one number; use named_parameters() for tensors"
_UNITS = "there are no devices and types to choose: numbers are 64-bit floats"
_WRITTEN = "write it as a Module, from operations on Values"
_FROM_LINEAR = "write it from Linear and other modules"
_RANDOM = {
    "random": "call rand()",
    **dict.fromkeys(("gauss", "standard_normal"), "call normal(mean, std)"),
    **dict.fromkeys(("choice", "choices", "sample"), "call multinomial(weights, n), or randint(n)"),
    **dict.fromkeys(("permutation", "shuffle"), "call randperm(n)"),
    "default_rng": "call Generator(), then manual_seed(seed)",
    **dict.fromkeys(("get_rng_state", "getstate"), "call get_state()"),
    **dict.fromkeys(("set_rng_state", "setstate"), "call set_state(state)"),
    **{f"{name}_": f"call {name}" for name in ("normal", "uniform", "exponential", "geometric")},
}

ABSENT: dict[str, dict[str, str]] = {
    "microgradlib": {
        **dict.fromkeys(("Tensor", "Variable", "as_tensor", "tensor"), _TENSOR),
        **dict.fromkeys(("arange", "array", "asarray", "concatenate", "eye", "linspace"), _NUMPY),
        **dict.fromkeys(("ones", "stack", "tril", "triu", "zeros"), _NUMPY),
        "cat": "import concatenate from NumPy",
        **dict.fromkeys(("cuda", "device", "dtype", "float32", "float64"), _UNITS),
        **dict.fromkeys(("enable_grad", "inference_mode", "set_grad_enabled"), "use no_grad()"),
        **{f"arc{name}": f"use a{name}" for name in ("cos", "cosh", "sin", "sinh", "tan", "tan2")},
        "arctanh": "use atanh",
        **dict.fromkeys(("add", "div", "divide", "mul", "multiply", "sub"), "use + - * /"),
        **dict.fromkeys(("pow", "power", "square"), "write x ** y"),
        **dict.fromkeys(("abs", "absolute"), "use the built-in abs"),
        **dict.fromkeys(("amax", "max"), "use maximum, or the built-in max"),
        **dict.fromkeys(("amin", "min"), "use minimum, or the built-in min"),
        **dict.fromkeys(("fmax", "fmin", "fmod"), "use microgradlib.math"),
        **dict.fromkeys(("ceil", "floor", "trunc"), "use microgradlib.math; the derivative is 0"),
        **dict.fromkeys(("matmul", "mm", "mv"), "use dot(ws, xs) for each row"),
        **{name: f"use microgradlib.nn.{name}" for name in ("Layer", "MLP", "Module", "Neuron")},
        **{name: f"use microgradlib.optim.{name}" for name in ("Adam", "AdamW", "RMSprop", "SGD")},
        **dict.fromkeys(("jacfwd", "jacrev"), "use jacobian"),
        "gradient": "use grad(f), or backward() on a Value",
        **dict.fromkeys(("draw_dot", "trace"), "use draw(loss)"),
        "clamp": "use clip(x, low, high)",
        "engine": "use microgradlib.Value",
        "get_rng_state": "call microgradlib.random.get_state()",
        "jit": "use compile",
        "logaddexp": "use logsumexp([x, y])",
        "norm": "use hypot(*xs)",
        **dict.fromkeys(
            (
                "Generator",
                "bernoulli",
                "multinomial",
                "normal",
                "rand",
                "randint",
                "randn",
                "randperm",
            ),
            "use microgradlib.random",
        ),
        "utils": "use microgradlib.data",
        "reciprocal": "write 1 / x",
        "rsqrt": "write 1 / sqrt(x)",
        "seed": "use manual_seed(seed)",
        "set_rng_state": "call microgradlib.random.set_state(state)",
        "swish": "use silu",
    },
    "microgradlib.autograd": {
        "Function": "use microgradlib.primitive",
        "Variable": "use microgradlib.Value, or microgradlib.nn.Parameter",
        "backward": "call backward() on the loss",
        "functional": "use microgradlib.jacobian, or microgradlib.hessian",
        "gradcheck": "use microgradlib.gradcheck",
        **dict.fromkeys(("enable_grad", "set_grad_enabled"), "use microgradlib.no_grad()"),
    },
    "microgradlib.nn": {
        "Dense": "use Linear(nin, nout)",
        "ParameterDict": "assign a dict as an attribute",
        **dict.fromkeys(("GRU", "LSTM", "MultiheadAttention", "RNN", "Transformer"), _FROM_LINEAR),
    },
    "microgradlib.nn.functional": {
        "hardtanh": "use microgradlib.clip(x, -1.0, 1.0)",
        "normalize": "divide each number by hypot(*xs)",
        "cosine_similarity": "divide dot(xs, xs) by the hypot(*xs) of each",
        "one_hot": "use float(i == n) for each class n",
        "relu6": "use microgradlib.clip(x, 0.0, 6.0)",
        "swish": "use silu",
        "tanhshrink": "write x - tanh(x)",
    },
    "microgradlib.nn.init": {
        **{
            f"{name}{kind}": f"use {name}{kind}_"
            for name in ("", "kaiming_", "xavier_")
            for kind in ("normal", "uniform")
        },
        **{name: f"use {name}_" for name in ("constant", "eye")},
    },
    "microgradlib.nn.utils": {
        "clip_grad_norm": "use clip_grad_norm_",
        "get_total_norm": "call clip_grad_norm_(xs, 1e300)",
        **dict.fromkeys(("parametrizations", "spectral_norm", "weight_norm"), _WRITTEN),
        **dict.fromkeys(("parameters_to_vector", "vector_to_parameters"), "use Parameter.data"),
    },
    "microgradlib.optim": {
        **dict.fromkeys(("CompiledStep", "compiled_step"), "use microgradlib.compiled_step"),
        "LBFGS": "pass value_and_grad(f) to scipy.optimize.minimize, with jac=True",
    },
    "microgradlib.data": {
        **dict.fromkeys(("BatchSampler", "RandomSampler", "SequentialSampler"), "use DataLoader"),
        **dict.fromkeys(
            ("SubsetRandomSampler", "WeightedRandomSampler"),
            "pass an iterable of indices as sampler to DataLoader",
        ),
        **dict.fromkeys(("ConcatDataset", "StackDataset"), "write it as a Dataset"),
        "IterableDataset": "write it as a Dataset, or loop over it",
    },
    "microgradlib.optim.lr_scheduler": {
        "ChainedScheduler": "call step() on each of them: the numbers multiply",
        "_LRScheduler": "use LRScheduler",
    },
    "microgradlib.random": _RANDOM,
    "microgradlib.safetensors": {
        "safe_open": "use load_file",
        **dict.fromkeys(("load_model", "save_model"), "use state_dict() and load_state_dict"),
    },
    "Value": {
        **dict.fromkeys(("numpy", "val", "value"), "read .data"),
        **dict.fromkeys(("backprop", "backwards"), "call backward()"),
        **dict.fromkeys(("dtype", "reshape", "view"), _LISTS),
        **dict.fromkeys(("dim", "ndim", "shape", "size"), _TENSORS),
        **dict.fromkeys(("cpu", "cuda", "device", "double", "to"), _UNITS),
        **dict.fromkeys(("max", "mean", "min", "norm", "prod", "std", "var"), _TENSORS),
        "clamp": "use microgradlib.clip(v, low, high)",
        "children": "read ._prev",
        "gradient": "read .grad",
        "name": "read .label",
        "op": "read ._op",
        "retain_grad": "nothing is needed: backward() writes the grad of every Value",
        "zero_grad": "set .grad = 0.0, or call zero_grad() of the module or optimizer",
    },
    "Parameter": {
        **dict.fromkeys(("cpu", "cuda", "device", "double", "dtype", "float", "to"), _UNITS),
        **dict.fromkeys(("numpy", "tolist"), "read .data"),
        **dict.fromkeys(("unsqueeze", "view"), "call reshape"),
        **dict.fromkeys(("permute", "transpose"), "call swapaxes, or read .T"),
        **dict.fromkeys(("std", "var"), "use the one of NumPy with ddof=1, as PyTorch"),
        "norm": "use microgradlib.hypot(*xs) for the numbers in it",
        "softmax": "use microgradlib.softmax(p)",
        "backward": "call backward() on the loss",
        "t": "read .T",
    },
    "Module": {
        **dict.fromkeys(("params", "weights"), "call parameters() or named_parameters()"),
        **dict.fromkeys(("bfloat16", "cpu", "cuda", "device", "float", "half", "to"), _UNITS),
        **dict.fromkeys(
            ("register_backward_hook", "register_forward_hook", "register_forward_pre_hook"),
            "write it in forward",
        ),
        "register_module": "call add_module(name, module)",
        "backward": "call backward() on the loss",
        "biases": "read .bias",
        "load": "call load_state_dict(microgradlib.load(path))",
        "save": "call microgradlib.save(module.state_dict(), path)",
        "step": "call step() of the optimizer",
    },
}
"""By module or class: what to do instead, by name."""


OTHERS = {
    "microgradlib.nn": _WRITTEN,
    "microgradlib.nn.functional": "write it from operations on Values",
    "microgradlib.nn.init": "assign to the data of each number",
    "microgradlib.optim": "use SGD, Adam, AdamW or RMSprop",
    "microgradlib.optim.lr_scheduler": "use LambdaLR with a function of the number of steps",
}
"""By module: what to do instead of a name that is neither there nor in the table."""


def say_what_to_use(module: str, later: Mapping[str, str] = MappingProxyType({})) -> None:
    """Let a module say what to use instead of a name that it does not have.

    The names in ``later`` are imported when they are first used: from these parts of the module, or
    as parts of it.
    """
    this = sys.modules[module]

    def absent(name: str) -> Any:
        if (part := later.get(name)) is not None:
            found = import_module(f"{module}.{part or name}")
            vars(this)[name] = getattr(found, name) if part else found
            return vars(this)[name]
        remedy = ABSENT[module].get(name) or ("" if name[:2] == "__" else OTHERS.get(module))
        problem = f"module {module!r} has no attribute {name!r}"
        # Python adds a name that is spelt alike.
        raise AttributeError(f"{problem}; {remedy}" if remedy else problem, name=name, obj=this)

    vars(this)["__getattr__"] = absent
    vars(this)["__dir__"] = lambda: sorted({*vars(this), *later})


class _Missing:
    """An attribute that does not exist: the error says what to use instead.

    It costs nothing where other attributes are read, as ``__getattr__`` of a class would.
    """

    def __init__(self, name: str, remedy: str) -> None:
        """Keep the text of the error."""
        self.problem = f"object has no attribute {name!r}; {remedy}"

    def __get__(self, x: object, owner: type) -> NoReturn:
        """Raise an AttributeError."""
        raise AttributeError(f"{owner.__name__!r} {self.problem}")


class Absent:
    """A base class whose subclasses name a part of the table: those attributes are missing."""

    __slots__ = ()

    def __init_subclass__(cls, absent: str = "", **kwargs: Any) -> None:
        """Say what to use instead of what is absent."""
        super().__init_subclass__(**kwargs)
        for name, remedy in ABSENT.get(absent, {}).items():
            setattr(cls, name, _Missing(name, remedy))


class AbsentOperators(Absent):
    """Operators of Python that would drop a gradient, or are not what they are in mathematics."""

    __slots__ = ()


NEW_OPERATION = "for an operation of your own, decorate it with microgradlib.primitive(partials)"


class Fixed:
    """A method of Value; what to do instead of assigning to it, as in Karpathy's lecture."""

    def __init__(self, method: Callable[[Any], None]) -> None:
        """Keep the function."""
        self.method = method

    def __get__(self, x: Any, owner: type) -> Callable[[], None]:
        """Return the bound method."""
        return partial(self.method, x)

    def __set__(self, x: Any, new: object) -> None:
        """Raise an AttributeError."""
        raise AttributeError(f"{self.method.__qualname__} cannot be assigned; {NEW_OPERATION}")


def _refused(expression: str, remedy: str) -> Callable[[Any, Any], NoReturn]:
    def operator(self: Any, other: object) -> NoReturn:
        raise TypeError(f"{expression}: not defined for Values; {remedy}")

    return operator


# Outside of the classes, so that type checkers go on to report these names.
for _name, _expression, _what in (
    ("xor", "x ^ y", "write x ** y for a power"),
    ("floordiv", "x // y", "use microgradlib.math.floor(x / y)"),
    ("matmul", "x @ y", "use microgradlib.dot(xs, ys) for lists of numbers"),
    ("divmod", "divmod(x, y)", "use microgradlib.math.floor(x / y) and x % y"),
):
    for _method in (f"__{_name}__", f"__r{_name}__"):
        setattr(AbsentOperators, _method, _refused(_expression, _what))
