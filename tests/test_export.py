"""Traces as files: C that other programs call, and Python that runs alone."""

import ctypes
import keyword
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from compilers import compiler

import microgradlib as mg
import microgradlib.math as mgmath
from microgradlib import Value

DEPLOY = Path(__file__).parent.parent / "examples" / "deploy"
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
EXACT = ["-O1", "-ffp-contract=off", "-fno-builtin"]

needs_compiler = pytest.mark.skipif(not compiler(), reason="no C compiler")


def build(directory: Path, *arguments: str) -> str:
    """Run the compiler in a directory; return what it says."""
    command = [*compiler(), *STRICT, *EXACT, *arguments, "-lm"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def traced(f: Callable[..., Any], *args: Any, backend: Any = "python") -> Any:
    compiled = mg.compile(f, backend=backend)
    compiled(*args)
    return compiled


def network(p: Any, x: Any) -> Any:
    hidden = [mg.tanh(mg.dot(w, x) + b) for w, b in zip(p["w"], p["b"], strict=True)]
    return mg.softmax(hidden)[0]


PARAMETERS = {"w": [[0.5, -0.25], [0.75, 1.5]], "b": [0.0, 0.125]}
FLAT = [0.5, -0.25, 0.75, 1.5, 0.0, 0.125, 2.0, -1.0]
GRADIENT = mg.value_and_grad(network)


def step() -> Any:
    return traced(GRADIENT, PARAMETERS, [2.0, -1.0])


def numbers_of(result: Any) -> list[float]:
    value, slopes = result
    return [value, *slopes["w"][0], *slopes["w"][1], *slopes["b"]]


@needs_compiler
def test_c_has_the_same_bits(tmp_path: Path) -> None:
    step().export(tmp_path / "step.c")
    assert build(tmp_path, "-shared", "-fPIC", "step.c", "-o", "step.so") == ""
    header = (tmp_path / "step.h").read_text("ascii")
    sizes = dict(re.findall(r"#define STEP_(\w+) (\d+)", header))
    assert (sizes["INPUTS"], sizes["OUTPUTS"]) == ("8", "7")
    run = ctypes.CDLL(str(tmp_path / "step.so")).step
    out = (ctypes.c_double * 7)()
    work = (ctypes.c_double * int(sizes["WORK"]))()
    assert run((ctypes.c_double * 8)(*FLAT), out, work) == 0
    assert [*out] == numbers_of(GRADIENT(PARAMETERS, [2.0, -1.0]))


def test_python_runs_alone(tmp_path: Path) -> None:
    step().export(str(tmp_path / "step.py"))
    script = (
        f"import sys, step; print(step.value_and_grad_of_network(*{FLAT})); print(step.__doc__)"
    )
    script += "; assert not any('microgradlib' in name for name in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    result, *about = done.stdout.splitlines()
    assert eval(result) == GRADIENT(PARAMETERS, [2.0, -1.0])
    assert about == [
        "value_and_grad_of_network: a function of numbers, written by microgradlib.",
        "",
        "Arguments:",
        "    p_w00 to p_w11: p['w'][0][0] to p['w'][1][1]",
        "    p_b0 to p_b1: p['b'][0] to p['b'][1]",
        "    x0 to x1: x[0] to x[1]",
        "",
        "Result:",
        "    result[0]",
        "    result[1]['w'][0][0] to result[1]['w'][1][1]",
        "    result[1]['b'][0] to result[1]['b'][1]",
        "",
        "It raises a ValueError where it takes a decision that it was not traced for.",
        "",
    ]


def test_the_comment_lists_what_goes_in_and_comes_out(tmp_path: Path) -> None:
    w = Value(0.5, label="w")

    def f(rows: Any, xs: Any) -> Any:
        x, y = xs
        return xs, [[*row] for row in rows], w * x, [[x, 1], [2, y]], [x, 1, y], [[1, x], [x, y]]

    traced(f, [[1.0], [2.0, 3.0], [4.0, 5.0]], (6.0, 7.0)).export(tmp_path / "f.c")
    text = (tmp_path / "f.c").read_text("ascii")
    assert text.partition(" *\n * The three")[0].splitlines() == [
        "/* int f(const double *in, double *out, double *work)",
        " *",
        " * in[0]: rows[0][0]",
        " * in[1] to in[4]: rows[1][0] to rows[2][1]",
        " * in[5] to in[6]: xs[0] to xs[1]",
        " * in[7]: w",
        " * out[0] to out[1]: result[0][0] to result[0][1]",
        " * out[2]: result[1][0][0]",
        " * out[3] to out[6]: result[1][1][0] to result[1][2][1]",
        " * out[7]: result[2]",
        " * out[8]: slope of result[2] in w",
        " * out[9]: result[3][0][0]",
        " * out[10]: result[3][1][1]",
        " * out[11]: result[4][0]",
        " * out[12]: result[4][2]",
        " * out[13]: result[5][0][1]",
        " * out[14] to out[15]: result[5][1][0] to result[5][1][1]",
        " * work: 1 or more numbers of any value.",
    ]


def test_parameters_of_a_module_are_inputs(tmp_path: Path) -> None:
    model, bias = mg.nn.Neuron(3), Value(2.0)

    def f(x: Any) -> Any:
        return model([x, x, x]) * bias

    traced(f, 1.0).export(tmp_path / "f.c")
    assert [*(tmp_path / "f.c").read_text("ascii").splitlines()[2:7]] == [
        " * in[0]: x",
        " * in[1] to in[5]: unlabelled Value [0] to unlabelled Value [4]",
        " * out[0]: result",
        (
            " * out[1] to out[5]: slope of result in unlabelled Value [0] to slope of result in "
            "unlabelled Value [4]"
        ),
        " * work: 1 or more numbers of any value.",
    ]


@needs_compiler
def test_keys_do_not_end_the_comment(tmp_path: Path) -> None:
    def f(x: Any) -> Any:
        return {"*/ \" '": x["/*/ é \\"], '"""\n': -x["/*/ é \\"], "??/": 2.0 * x["/*/ é \\"]}

    compiled = traced(f, {"/*/ é \\": 1.5})
    compiled.export(tmp_path / "f.c")
    assert build(tmp_path, "-Wtrigraphs", "-c", "f.c", "-o", "f.o") == ""
    compiled.export(tmp_path / "f.py", "g")
    namespace: dict[str, Any] = {}
    exec((tmp_path / "f.py").read_text("utf-8"), namespace)
    assert namespace["g"](2.5) == {"*/ \" '": 2.5, '"""\n': -2.5, "??/": 5.0}


@needs_compiler
def test_statuses(tmp_path: Path) -> None:
    def f(x: Any) -> Any:
        return mg.exp(x) if x > 0.0 else mg.grad(lambda x: x * x * x)(x)

    compiled = mg.compile(f)
    for name, x in (("positive", 1.0), ("negative", -1.0)):
        compiled(x)
        compiled.export(tmp_path / f"{name}.c")
    assert build(tmp_path, "-shared", "-fPIC", "positive.c", "negative.c", "-o", "f.so") == ""
    library = ctypes.CDLL(str(tmp_path / "f.so"))

    def run(name: str, x: float) -> tuple[int, float]:
        out, work = (ctypes.c_double * 1)(), (ctypes.c_double * 1)()
        return getattr(library, name)((ctypes.c_double * 1)(x), out, work), out[0]

    assert run("positive", 2.0) == (0, mg.exp(2.0))
    assert run("positive", -2.0)[0] == 1
    assert run("positive", 1000.0)[0] == 2
    assert run("negative", -2.0) == (0, 12.0)
    assert run("negative", -1e160)[0] == 4
    assert run("negative", -5e102) == (0, f(-5e102))


@needs_compiler
def test_large_results_are_not_taken_for_infinite(tmp_path: Path) -> None:
    compiled = traced(mg.value_and_grad(lambda x: 1e308 * x), 1.0)
    compiled.export(tmp_path / "f.c")
    assert build(tmp_path, "-shared", "-fPIC", "f.c", "-o", "f.so") == ""
    out, work = (ctypes.c_double * 2)(), (ctypes.c_double * 1)()
    assert ctypes.CDLL(str(tmp_path / "f.so")).f((ctypes.c_double * 1)(1.0), out, work) == 0
    assert [*out] == [1e308, 1e308]


def test_python_checks_decisions(tmp_path: Path) -> None:
    compiled = traced(lambda x: x * 2.0 if x > 1.0 else -x, 2.0)
    compiled.export(tmp_path / "f.py", name="double")
    namespace: dict[str, Any] = {}
    exec((tmp_path / "f.py").read_text("utf-8"), namespace)
    assert namespace["double"](3.0) == 6.0
    with pytest.raises(ValueError, match=r"^double: computes only where x > 1\.0$"):
        namespace["double"](0.5)
    compiled.export(tmp_path / "f.py")
    exec((tmp_path / "f.py").read_text("utf-8"), namespace)
    with pytest.raises(ValueError, match=r"^f: computes only where x > 1\.0$"):
        namespace["f"](0.5)
    compiled(0.5)  # the latest trace
    compiled.export(tmp_path / "f.py", name="opposite")
    exec((tmp_path / "f.py").read_text("utf-8"), namespace)
    assert namespace["opposite"](0.5) == -0.5
    with pytest.raises(ValueError, match=r"^opposite: computes only where not x > 1\.0$"):
        namespace["opposite"](2.0)


@needs_compiler
def test_constants_alone(tmp_path: Path) -> None:
    traced(lambda: [1.5, -0.0]).export(tmp_path / "f.c")
    assert build(tmp_path, "-shared", "-fPIC", "f.c", "-o", "f.so") == ""
    out, none = (ctypes.c_double * 2)(), (ctypes.c_double * 1)()
    assert ctypes.CDLL(str(tmp_path / "f.so")).f(none, out, none) == 0
    assert repr([*out]) == "[1.5, -0.0]"


@needs_compiler
def test_large_functions_are_divided(tmp_path: Path) -> None:
    def f(xs: Any) -> Any:
        y = xs[0]
        for x in xs:
            y = mg.sin(y) * x
        return y

    xs = [0.5 + i / 600.0 for i in range(600)]
    traced(f, xs).export(tmp_path / "f.c")
    text = (tmp_path / "f.c").read_text("ascii")
    assert re.findall(r"^static int (f_\d)", text, re.MULTILINE) == ["f_1", "f_2", "f_3"]
    assert build(tmp_path, "-shared", "-fPIC", "f.c", "-o", "f.so") == ""
    out, work = (ctypes.c_double * 1)(), (ctypes.c_double * 10)()
    assert ctypes.CDLL(str(tmp_path / "f.so")).f((ctypes.c_double * 600)(*xs), out, work) == 0
    assert out[0] == f(xs)


@needs_compiler
def test_both_backends_write_the_same(tmp_path: Path) -> None:
    for backend in ("python", "c"):
        compiled = traced(GRADIENT, PARAMETERS, [2.0, -1.0], backend=backend)
        for suffix in ("c", "py"):
            compiled.export(tmp_path / f"{backend}.{suffix}", name="f")
    for suffix in ("c", "h", "py"):
        texts = [(tmp_path / f"{x}.{suffix}").read_text("utf-8") for x in ("python", "c")]
        assert texts[0] == texts[1]


def test_no_compiler_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    step().export(tmp_path / "step.c")
    assert sorted(os.listdir(tmp_path)) == ["step.c", "step.h"]


@pytest.mark.parametrize(
    ("file", "name", "message"),
    [
        ("f.cpp", None, "export: the file must end in .c or .py, got '{}'"),
        ("f", None, "export: the file must end in .c or .py, got '{}'"),
        ("2d.c", None, "export: '2d' is no name in C; pass another, as in name='model'"),
        ("f.c", "größe", "export: 'größe' is no name in C; pass another, as in name='model'"),
        ("f.c", "", "export: '' is no name in C; pass another, as in name='model'"),
        ("f.c", "f\n", "export: 'f\\n' is no name in C; pass another, as in name='model'"),
        ("exp.c", None, "export: 'exp' is reserved; pass another, as in name='model'"),
        ("f.c", "while", "export: 'while' is reserved; pass another, as in name='model'"),
        ("f.c", "_f", "export: '_f' is reserved; pass another, as in name='model'"),
        ("f.c", "mg_exp", "export: 'mg_exp' is reserved; pass another, as in name='model'"),
        ("f.py", "2d", "export: '2d' is no name in Python; pass another"),
        ("f.py", "while", "export: 'while' is no name in Python; pass another"),
        ("f.py", "x1", "export: 'x1' has a meaning in the file; pass another name"),
        ("f.py", "exp", "export: 'exp' has a meaning in the file; pass another name"),
    ],
)
def test_names_that_are_refused(file: str, name: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^export: ") as caught:
        step().export(tmp_path / file, name)
    assert str(caught.value)[:100] == message.format(tmp_path / file)[:100]
    assert os.listdir(tmp_path) == []


@needs_compiler
def test_a_name_that_is_taken_builds(tmp_path: Path) -> None:
    compiled = traced(lambda x: mg.exp(x), 1.0)
    names = {*dir(math), *keyword.kwlist, "fabsf", "tgammal", "nearbyint", "scalbln", "restrict"}
    names |= {"double", "volatile", "signbit", "NAN", "double_t"}
    names |= {"in", "out", "work", "status", "failed", "failure", "zero", "t0", "x", "I", "model"}
    taken = []
    for name in sorted(names):
        try:
            compiled.export(tmp_path / "f.c", name)
        except ValueError:
            continue
        taken.append(name)
        assert build(tmp_path, "-fsyntax-only", "f.c") == "", name
    assert {"in", "out", "work", "failed", "t0", "model", "dist", "lambda"} <= {*taken}
    assert not {*taken} & {"sin", "fabsf", "nearbyint", "restrict", "double", "for", "NAN"}


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    @mg.primitive(lambda y, x: (2.0,))
    def twice(x: float) -> float:
        return 2.0 * x

    cases = [
        (mg.compile(lambda x: x), "compile: <lambda> has no source before its first call"),
        (traced(lambda x: twice(x), 1.0), "export: twice is a primitive of your own, "),
        (traced(lambda x: -x if mgmath.isnan(x) else x, 1.0), "export: f decides by 'isnan(x)', "),
        (traced(lambda x: {f"{x:.0f}": x}, 1.0), "export: f decides by "),
    ]
    for compiled, message in cases:
        for suffix in ("c", "py"):
            with pytest.raises(mg.CompileError) as caught:
                compiled.export(tmp_path / f"f.{suffix}")
            assert str(caught.value).startswith(message)
            assert len(str(caught.value)) < 300
    assert os.listdir(tmp_path) == []


def test_both_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"export: there is no directory .*; make it first"):
        step().export(tmp_path / "none" / "f.c")
    (tmp_path / "f.h").mkdir()
    with pytest.raises(OSError, match=r"f\.h"):
        step().export(tmp_path / "f.c")
    assert os.listdir(tmp_path) == ["f.h"]
    (tmp_path / "f.c").write_text("before")
    with pytest.raises(OSError, match=r"f\.h"):
        step().export(tmp_path / "f.c")
    assert (tmp_path / "f.c").read_text() == "before"
    (tmp_path / "f.h").rmdir()
    (tmp_path / "f.h").write_text("before")
    replace = os.replace

    def interrupted(old: Path, new: Path) -> None:
        if new.suffix == ".h":
            raise KeyboardInterrupt
        replace(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        for name in ("f", "g"):
            with pytest.raises(KeyboardInterrupt):
                step().export(tmp_path / f"{name}.c")
    assert sorted(os.listdir(tmp_path)) == ["f.c", "f.h"]
    assert (tmp_path / "f.c").read_text() == (tmp_path / "f.h").read_text() == "before"
    step().export(tmp_path / "f.c")
    assert sorted(os.listdir(tmp_path)) == ["f.c", "f.h"]
    assert "before" not in (tmp_path / "f.c").read_text() + (tmp_path / "f.h").read_text()


@needs_compiler
@pytest.mark.usefixtures("unmeasured")
def test_the_deployed_network(tmp_path: Path) -> None:
    """The programs of docs/deploy.md print what Python prints."""
    command = [sys.executable, "-W", "error", str(DEPLOY / "network.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loss, *outputs = done.stdout.splitlines()
    assert float(loss) < 0.001
    assert [round(float(x)) for x in outputs] == [0, 1, 1, 0]
    for program, part, printed in (("xor", "predict", outputs), ("train", "step", [loss])):
        source = str(DEPLOY / f"{program}.c")
        assert build(tmp_path, "-I.", source, f"{part}.c", "-o", program) == ""
        run = subprocess.run([str(tmp_path / program)], capture_output=True, text=True, check=True)
        assert run.stdout.splitlines() == printed
