"""Libraries of kernels, Warp and Taichi, which compile the source of a function."""

import os
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from kinks.library import Library, NoDerivativeError
from kinks.page import ABSENT

Numbers = tuple[float, ...]
FOLDER = tempfile.TemporaryDirectory(prefix="kinks-")  # of the sources, until the end


SOURCES = {  # a line for both: the expression, its spelling with the functions of the library
    "abs(x)": "m.abs(x)",
    "maximum(x, y)": "m.max(x, y)",
    "relu(x) [max]": "m.max(x, c0)",
    "maximum(x, 0) [max]": "m.max(x, c0)",
    "maximum(x, 0) [max, 0 first]": "m.max(c0, x)",
    "sqrt(x)": "m.sqrt(x)",
    "x**y": "m.pow(x, y)",
    "sqrt(x*x + y*y)": "m.sqrt(x * x + y * y)",
    "atan2(y, x)": "m.atan2(y, x)",
    "floor(x)": "m.floor(x)",
    "round(x)": "m.round(x)",
    "prod([x, y, z]) [product]": "x * y * z",
    "max([x, y, z]) [nested max]": "m.max(m.max(x, y), z)",
    "max([w, x, y, z]) [nested max]": "m.max(m.max(m.max(w, x), y), z)",
    "acos(x)": "m.acos(x)",
    "asin(x)": "m.asin(x)",
}


def module_of(source: str) -> Any:
    """Return a module made of source in a file, as these libraries read the file again."""
    file = Path(FOLDER.name) / f"kernel_{abs(hash(source))}.py"
    file.write_text(source, "utf-8")
    spec = spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"module_of: cannot load {file}")
    module = module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


class Kernel:
    """An expression, to be compiled as the body of a kernel."""

    def __init__(self, expression: str) -> None:
        self.expression = expression


def of_kernels(run: Callable[[str, Numbers], list[Any]], sources: dict[str, str]) -> Library:
    def differentiate(kernel: Kernel, xs: Numbers, order: int) -> list[Any]:
        if order > 1:
            raise NoDerivativeError(ABSENT)
        return run(kernel.expression, xs)

    return Library({"": differentiate}, {key: Kernel(text) for key, text in sources.items()})


def arguments(expression: str, count: int) -> str:
    names = "wxyz"[:4] if count == 4 else "xyz"[:count]
    if expression.startswith(("m.atan2", "ti.atan2")):
        names = "yx"
    return "; ".join(f"{name} = a[{i}]" for i, name in enumerate(names))


def warp() -> Library:
    wp = import_module("warp")
    wp.config.log_level = wp.LOG_ERROR

    def run(expression: str, xs: Numbers) -> list[Any]:
        module = module_of(
            "import warp as m\n\n\n@m.kernel\n"
            "def kernel(a: m.array(dtype=m.float64), out: m.array(dtype=m.float64)):\n"
            "    c0 = m.float64(0.0)\n    c1 = m.float64(1.0)\n"
            f"    {arguments(expression, len(xs))}\n    out[0] = {expression}\n"
        )
        a = wp.array(xs, dtype=wp.float64, device="cpu", requires_grad=True)
        out = wp.zeros(1, dtype=wp.float64, device="cpu", requires_grad=True)
        tape = wp.Tape()
        with tape:
            wp.launch(module.kernel, dim=1, inputs=[a], outputs=[out], device="cpu")
        tape.backward(grads={out: wp.ones(1, dtype=wp.float64, device="cpu")})
        return list(a.grad.numpy())

    sources = SOURCES | {
        "clip(x, 0, 1) [clamp]": "m.clamp(x, c0, c1)",
        "hypot(x, y) [length]": "m.length(m.vec2d(x, y))",
        "norm([x, y, z]) [length]": "m.length(m.vec3d(x, y, z))",
        "where(x > 0, sqrt(x), 0)": "m.where(x > c0, m.sqrt(x), c0)",
        "sign(x)": "m.sign(x)",
        "trunc(x)": "m.trunc(x)",
        "x % y": "x % y",
        "fmod(x, y) [mod]": "m.mod(x, y)",
        "erfinv(x)": "m.erfinv(x)",
        "tanh(x)": "m.tanh(x)",
        "log1p(x) [log of 1 + x]": "m.log(c1 + x)",
        "frac(x)": "m.frac(x)",
        "max([x, y, z]) [max of a vector]": "m.max(m.vec3d(x, y, z))",
        "max([w, x, y, z]) [max of a vector]": "m.max(m.vec4d(w, x, y, z))",
    }
    return of_kernels(run, sources)


def taichi() -> Library:
    os.environ["ENABLE_TAICHI_HEADER_PRINT"] = "0"
    ti = import_module("taichi")
    ti.init(arch=ti.cpu, default_fp=ti.f64, log_level=ti.ERROR)

    def run(expression: str, xs: Numbers) -> list[Any]:
        a = ti.field(ti.f64, shape=len(xs), needs_grad=True)
        out = ti.field(ti.f64, shape=(), needs_grad=True)
        module = module_of(
            "import taichi as ti\nimport taichi.math as tm\n\n\ndef kernel_of(a, out):\n"
            "    @ti.kernel\n    def kernel():\n"
            f"        {arguments(expression, len(xs))}\n        c0 = 0.0\n"
            f"        out[None] = {expression}\n\n    return kernel\n"
        )
        for i, x in enumerate(xs):
            a[i] = x
        with ti.ad.Tape(loss=out):
            module.kernel_of(a, out)()
        return [a.grad[i] for i in range(len(xs))]

    sources = {key: text.replace("m.", "ti.") for key, text in SOURCES.items()}
    sources |= {
        "abs(x)": "abs(x)",
        "clip(x, 0, 1) [tm.clamp]": "tm.clamp(x, 0.0, 1.0)",
        "hypot(x, y) [norm]": "ti.Vector([x, y]).norm()",
        "norm([x, y, z])": "ti.Vector([x, y, z]).norm()",
        "where(x > 0, sqrt(x), 0) [select]": "ti.select(x > 0, ti.sqrt(x), 0.0)",
        "where(x > 0, sqrt(x), 0) [if]": "ti.sqrt(x) if x > 0 else 0.0",
        "sign(x)": "tm.sign(x)",
        "frac(x)": "tm.fract(x)",
        "tanh(x)": "ti.tanh(x)",
        "log1p(x) [log of 1 + x]": "ti.log(1.0 + x)",
        "x % y": "x % y",
        "std([x, y, z]) [written out]": "ti.sqrt(((x - (x + y + z) / 3) ** 2"
        " + (y - (x + y + z) / 3) ** 2 + (z - (x + y + z) / 3) ** 2) / 3)",
    }
    return of_kernels(run, sources)
