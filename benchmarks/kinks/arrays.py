"""Libraries of arrays: autograd, JAX, PyTorch, mygrad, PyTensor, tinygrad, Advect, numdifftools.

The adapters import by name when they are called, since none of these packages must be installed.
"""

import os
from importlib import import_module
from typing import Any

from kinks.library import Function, Library, NoDerivativeError, of_module
from kinks.page import ABSENT, PLAIN

Numbers = tuple[float, ...]
OF_NUMBERS = (
    "abs maximum clip sqrt hypot where sinc logaddexp sign floor round trunc frac fmod log1p tanh"
)
OF_NUMPY = {"atan2": "arctan2", "acos": "arccos", "asin": "arcsin"}
OF_ARRAYS = "prod cumprod std var max sort median"


def like_numpy(np: Any, join: Function) -> dict[str, Any]:
    """Return what a module has of NumPy's functions; ``join`` makes an array of numbers."""
    lists = of_module(np, OF_ARRAYS)
    names = {name: on_list(f, join) for name, f in lists.items()}
    names |= of_module(np, OF_NUMBERS, **OF_NUMPY)
    if hasattr(np, "linalg") and hasattr(np.linalg, "norm"):
        names["norm"] = on_list(np.linalg.norm, join)
    return names | {"sum": np.sum}


def on_list(f: Function, join: Function) -> Function:
    return lambda xs: f(join(xs))


def nested(grad: Function) -> Function:
    """Return how to differentiate with a library whose ``grad`` takes and returns a function."""

    def differentiate(f: Function, xs: tuple[Any, ...], order: int) -> list[Any]:
        if order == 1:
            return [grad(f, i)(*xs) for i in range(len(xs))]
        for _ in range(order):
            f = grad(f, 0)
        return [f(*xs)]

    return differentiate


def autograd() -> Library:
    grad, np = import_module("autograd").grad, import_module("autograd.numpy")
    special = import_module("autograd.scipy.special")
    of_floats = nested(grad)

    def of_arrays(f: Function, xs: Numbers, order: int) -> list[Any]:
        return list(of_floats(f, tuple(np.array(x) for x in xs), order))

    names = like_numpy(np, np.array)
    names["logsumexp"] = on_list(special.logsumexp, np.array)
    return Library({"float": of_floats, "array": of_arrays}, names | of_module(special, "erfinv"))


def jax() -> Library:
    library, jnp = import_module("jax"), import_module("jax.numpy")
    nn, special = import_module("jax.nn"), import_module("jax.scipy.special")
    library.config.update("jax_enable_x64", True)
    library.config.update("jax_platforms", "cpu")
    names = like_numpy(jnp, jnp.stack) | of_module(nn, "relu softplus")
    names["clip (lax.clamp)"] = lambda x, low, high: import_module("jax.lax").clamp(
        float(low), x, float(high)
    )
    names["logsumexp"] = on_list(nn.logsumexp, jnp.stack)
    names["norm (ord=1)"] = lambda xs: jnp.linalg.norm(jnp.stack(xs), ord=1)
    return Library({"": nested(library.grad)}, names | of_module(special, "erfinv"))


def pytorch() -> Library:
    torch = import_module("torch")
    tnf = import_module("torch.nn.functional")

    def tensor(x: Any) -> Any:
        return x if isinstance(x, torch.Tensor) else torch.tensor(float(x), dtype=torch.float64)

    def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
        leaves = [tensor(x).requires_grad_() for x in xs]
        slopes = [f(*leaves)]
        for _ in range(order):
            (y,) = slopes
            slopes = torch.autograd.grad(y, leaves, create_graph=True, materialize_grads=True)
        return list(slopes)

    names = like_numpy(torch, torch.stack)
    names |= of_module(torch, "", sort="msort") | of_module(tnf, "relu softplus")
    names |= of_module(torch.special, "erfinv") | of_module(torch, "", acos="acos", asin="asin")
    names["sort"] = lambda xs: torch.sort(torch.stack(xs)).values
    names["max (dim=0)"] = lambda xs: torch.max(torch.stack(xs), 0).values
    names["median"] = on_list(torch.median, torch.stack)
    names["median (dim=0)"] = lambda xs: torch.median(torch.stack(xs), 0).values
    names["logsumexp"] = lambda xs: torch.logsumexp(torch.stack(xs), 0)
    names["maximum"] = lambda x, y: torch.maximum(x, tensor(y))
    names["where"] = lambda c, x, y: torch.where(c, x, tensor(y))
    names["cumprod"] = lambda xs: torch.cumprod(torch.stack(xs), 0)
    return Library({"": differentiate}, names)


def mygrad() -> Library:
    mg = import_module("mygrad")

    def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
        if order > 1:
            raise NoDerivativeError(ABSENT)
        leaves = [mg.tensor(x) for x in xs]
        y = f(*leaves)
        if not isinstance(y, mg.Tensor):
            raise NoDerivativeError(PLAIN)
        y.backward()
        return [0.0 if leaf.grad is None else leaf.grad for leaf in leaves]

    names = like_numpy(mg, mg.stack) | {"norm": on_list(mg.linalg.norm, mg.stack)}
    names["relu"] = import_module("mygrad.nnet").activations.relu
    return Library({"": differentiate}, names)


def pytensor() -> Library:
    library, pt = import_module("pytensor"), import_module("pytensor.tensor")
    mode = import_module("pytensor.compile.mode").Mode
    library.config.cxx = ""  # the compiled code is the same arithmetic, and takes seconds a point

    def under(**how: Any) -> Function:
        def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
            leaves = [pt.dscalar() for _ in xs]
            slopes = [f(*leaves)]
            for _ in range(order):
                slopes = library.grad(slopes[0], leaves, disconnected_inputs="ignore")
            compute = library.function(leaves, slopes, mode=mode(**how), on_unused_input="ignore")
            return list(compute(*xs))

        return differentiate

    names = like_numpy(pt, pt.stack) | of_module(pt, "erfinv softplus")
    names["logsumexp"] = on_list(pt.logsumexp, pt.stack)
    names["norm"] = on_list(pt.linalg.norm, pt.stack)
    modes = {
        "": under(linker="py", optimizer="fast_run"),
        "no rewrites": under(linker="py", optimizer=None),
    }
    return Library(modes, names)


def tinygrad() -> Library:
    os.environ["DEV"] = "PYTHON"  # the CPU device needs clang
    tensor = import_module("tinygrad").Tensor
    double = import_module("tinygrad").dtypes.float64

    def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
        leaves = [tensor([x], dtype=double) for x in xs]
        slopes = [f(*leaves)]
        for _ in range(order):
            slopes = slopes[0].sum().gradient(*leaves)
        zero = tensor([0.0], dtype=double).realize()  # constants ask for clang, sums do not
        return [(slope + zero).tolist()[0] for slope in slopes]

    def join(xs: list[Any]) -> Any:
        return tensor.cat(*xs)

    names = of_module(
        tensor, "abs maximum clip relu sqrt logaddexp sign floor round trunc fmod acos asin tanh"
    )
    names |= of_module(tensor, "softplus where")
    names |= {n: on_list(f, join) for n, f in of_module(tensor, "prod std var max").items()}
    names["logsumexp"] = on_list(tensor.logsumexp, join)
    names["sort"] = lambda xs: join(xs).sort()[0]
    names["cumprod"] = lambda xs: join(xs).cumprod(0)
    names["norm (written out)"] = lambda xs: join(xs).square().sum().sqrt()
    names["log1p (log of 1 + x)"] = lambda x: (1.0 + x).log()
    names["where"] = lambda c, x, y: c.where(x, y)
    return Library({"": differentiate}, names | {"sum": tensor.sum})


def advect() -> Library:
    library, np = import_module("advect"), import_module("advect.numpy")

    def grad(f: Function, i: int) -> Function:
        return library.grad(f, argnums=i)  # type: ignore[no-any-return]

    return Library({"": nested(grad)}, like_numpy(np, np.stack))


def numdifftools() -> Library:
    nd, np = import_module("numdifftools"), import_module("numpy")
    special = import_module("scipy.special")

    def with_method(method: str) -> Function:
        def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
            if order > 1:
                return [nd.Derivative(f, n=order, method=method)(xs[0])]
            slopes = nd.Gradient(lambda v: f(*v), method=method)(np.array(xs))
            return list(np.atleast_1d(slopes))

        return differentiate

    names = like_numpy(np, np.array) | of_module(special, "erfinv logsumexp")
    names["relu (maximum)"] = lambda x: np.maximum(x, 0.0)
    names["softplus (log of 1 + exp)"] = lambda x: np.log(1.0 + np.exp(x))
    return Library({"": with_method("central"), "forward": with_method("forward")}, names)
