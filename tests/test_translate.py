"""Functions of floats in C: the bits and the failures of Python, for all that has a C form."""

import linecache
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from math import inf, nan
from pathlib import Path
from typing import Any

import native
import pytest
from compilers import compiler
from test_primitives import TRUTHS

from microgradlib.compiling import clibrary
from microgradlib.compiling.clibrary import LIST, library
from microgradlib.compiling.forms import ENTRIES, ENTRY, INLINE, OF_TWO, SOURCES
from microgradlib.compiling.templates import Template
from microgradlib.core.table import PRIMITIVES
from microgradlib.errors import CompileError
from microgradlib.numeric import activations, piecewise, reductions, special
from microgradlib.testing import arities
from translate.files import PLACE, files
from translate.functions import define, expression, signature
from translate.prelude import BUILTINS, FLOAT, INT, OVERFLOW

MODULES = (activations, piecewise, reductions, special)
NUMERIC = {
    name: f
    for module in MODULES
    for name, f in vars(module).items()
    if isinstance(f, types.FunctionType) and f.__module__ == module.__name__
}
WRITTEN = {name for name, source in SOURCES.items() if source not in (INLINE, ENTRY)}

# Functions with every construct of the subset.

NUMBERS = (0.1, -inf, 1e300, 5.0)
LISTED = [2.0, nan]


def arithmetic(x: float, y: float) -> float:
    z = -x + y * (x - y) - -y
    z -= x * 3 + 2
    if y != 0.0:
        z += x / y % 7.5
    return z * (x + (y + 1e-3)) - (x - (y - x)) / 4


def divided(x: float, y: float) -> float:
    return x / y + x % y


def powers(x: float, y: float) -> float:
    return abs(x) ** y + y**2 + 2 ** (x * 0.5)


def integers(x: float, y: float) -> float:
    if abs(x) > 1e6 or abs(y) > 1e6:
        return x
    n = int(x)
    k = round(y)
    m = math.floor(x)
    if n == 0 or not k:
        return float(m - n)
    return (n * 7) // k + n % k - (-n) % 3 + n / k + max(n, k, 2) * min(n, 5) + float(k) * m


def integer(x: float, n: int) -> int:
    result = 0
    for i in range(n):
        result += i
    return result - n if x > 0.5 else n


def wholes(x: float) -> float:
    return float(round(x)) + float(int(x)) * 0.5 - (x - math.floor(x))


def comparisons(x: float, y: float) -> float:
    between = -1.0 < x <= y - 1.0 < 5.0
    if not between and (x == y or (x != 2.0 and y >= 0.5)):
        return 1.0
    return 2.0 if between else 3.0 if x < y or x > 2.0 * y > 0.0 else 4.0


def boolean(x: float, y: float) -> bool:
    return (x > 1.0 and y < x) or x == -y


def truthiness(x: float, *ys: float) -> float:
    if x and not ys:
        return 1.0
    n = len(ys)
    if x or n % 2:
        return x if n else -1.0
    return 2.0


def loops(x: float, *ys: float) -> float:
    total = 0.0
    for y in ys:
        total = total * x + y
    for y in reversed(ys):
        total = total * 0.5 - y
    for i, y in enumerate(ys, 2):
        total += i * y
    for i in range(3, -2, -1):
        total -= i
    for i in range(len(ys) // 2, len(ys)):
        total += ys[i]
    for a, (i, b) in zip(ys[1:], enumerate(reversed(ys))):  # noqa: B905
        total += a * b - i
    for _, c in zip(NUMBERS[:3], (x, 2.0, x * x), strict=True):
        total += c
    while 2.0 < total < 1e300 and math.exp(total * 1e-300) > 0.5:
        total *= 0.25
    return total


def unequal(*ys: float) -> float:
    total = 0.0
    for a, b in zip(ys, NUMBERS, strict=True):
        total += a * b
    return total


def lists(x: float, *ys: float) -> list[float]:
    found = [y * x for y in ys if y > 0.0]
    kept = []
    for i, y in enumerate(ys):
        if y < 0.0:
            kept.append(y)
        else:
            kept.append(-y)
            kept.append(float(i))
        kept += [x, y]
    kept[0] = second = x + 0.5
    grown = [1.0]
    for _ in range(3):
        grown = [a + second for a in [0.0, *grown]]
    last: float = ys[-1]
    kept = kept + grown
    return [last, *found, *kept, *[float(a == x) for a in ys], *NUMBERS[1:]]


def long_list(n: int) -> float:
    xs = []
    while len(xs) < n:
        xs.append(0.5)
    return math.fsum(xs)


def nested(*ys: float) -> tuple[float, tuple[float, ...]]:
    n = len(ys) // 2
    first, second = ys[:n], ys[n:]
    return max(ys), (1.0, *first, *second)


def swapped(x: float, y: float) -> tuple[float, float]:
    x, y = y, x + y
    return x, y


def parts(*ys: float) -> float:
    *others, x, y = ys
    a, b = swapped(x, y)
    return math.fsum([*others, a]) - b


def calls(x: float, *ys: float) -> float:
    r = math.hypot(*ys) + math.hypot(x, 3.0, *ys) + min(x, 1.0, *ys) + math.hypot(x, x)
    top = max([x, *ys]) if ys else x
    if all(y < top for y in ys) or any([y == x for y in ys]):  # noqa: C419
        r += sum([y for y in ys if math.isfinite(y)])
    return r + with_default(x) + with_default(x, 2.0) + LISTED[0] + len(NUMBERS)


def with_default(x: float, y: float = 0.5) -> float:
    return x - y


def rounded(x: float, n: int) -> float:
    return math.ldexp(x, n) + math.frexp(x)[1] + math.remainder(x, 3.0) + math.fmod(x, 0.7)


def recursive(x: float, n: int) -> float:
    if n <= 0:
        return math.log(x)
    return recursive(x - 1.0, n - 1) + 1.0


def bounded(x: float, low: float) -> None:
    if x < low:
        raise ValueError("too small")
    if x == low:
        raise OverflowError
    return


def failing(x: float, y: float) -> float:
    bounded(x, y)
    return math.sqrt(y) if x > 1.0 or math.log(x) < 1.0 else 1.0 / y


def caught(x: float, y: float) -> float:
    try:
        r = divided(x, y)
    except ZeroDivisionError:
        r = failing(x, 2.0)
    try:
        s = math.exp(x)
    except (OverflowError, ValueError):
        return y
    try:
        return failing(x, s) + r
    except ArithmeticError:
        return s


def conditional(x: float, *ys: float) -> float:
    total = sum([y * x for y in ys]) if x > 0.0 else math.fsum([x, *ys])
    if ys and x > 0.5 and max([y - x for y in ys]) > 1.0:
        return total
    return total + (x if x < 0.0 or all(y > 0.0 for y in ys) else 1.0)


def reserved(long: float, out: float, work: float, failed: float) -> float:
    double = long + out * work
    return double - failed


def unused(x: float, y: float, *zs: float) -> float:
    z = x
    z = divided(1.0, x)
    _ = z
    return x


def constant(x: float) -> float:
    return x * NUMBERS[2] + special.BERNOULLI[1] + math.pi ** (2 + 1) - 1e3 * -inf


CONSTRUCTS: list[Callable[..., Any]] = [
    *(
        arithmetic,
        wholes,
        divided,
        powers,
        integers,
        integer,
        comparisons,
        boolean,
        truthiness,
        loops,
    ),
    *(unequal, lists, long_list, nested, swapped, parts, calls, rounded, recursive, bounded),
    *(failing, caught, conditional, reserved, unused, constant),
]
SLOW = {"_log_of_sum", "logsumexp", "logsumexp_of", "_scaled_exp"}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f"row_{row.name}": row.forward for row in PRIMITIVES.values()},
    **{f"entries_{name}": f for name, f in ENTRIES.items()},
    **NUMERIC,
    **{f.__name__: f for f in CONSTRUCTS},
}
FORMS = {
    name: (row, 2 if row in OF_TWO else max(arities(PRIMITIVES[row])))
    if (row := name.removeprefix("row_")) in WRITTEN and row != name
    else f
    for name, f in FUNCTIONS.items()
}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> native.Native:
    if not compiler():
        pytest.skip("no C compiler")
    return native.Native(tmp_path_factory.mktemp("native"), FORMS)


# Points.

HARD = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 23.0, 24.0, 171.0, 171.7, -1.5, 1e-20, 1e300]
HARD += [inf, -inf, nan, 5e-324, -5e-324, 1e-310, 2.0**-1022, 2.0**1023 * (2.0 - 2.0**-52)]


def drawn(rng: random.Random) -> float:
    """Return a random float: of moderate size, hard, whole, of any size, or with any bits."""
    return float(
        rng.choice(
            [
                lambda: rng.uniform(-4.0, 4.0),
                lambda: rng.gauss(0.0, 300.0),
                lambda: rng.choice(HARD),
                lambda: rng.randint(-30, 30),
                lambda: rng.choice([1.0, -1.0]) * 2.0 ** rng.uniform(-1075.0, 1023.0),
                lambda: struct.unpack("d", rng.randbytes(8))[0],
            ]
        )()
    )


def kinds_of(name: str) -> tuple[str, ...]:
    """Return the kinds of the parameters of a function."""
    form = FORMS[name]
    return (FLOAT,) * form[1] if isinstance(form, tuple) else signature(form).parameters


def points(name: str, count: int) -> Iterator[list[float]]:
    """Yield random points; integers are small, and lists are of all lengths up to 9."""
    rng, kinds = random.Random(name), kinds_of(name)
    for _ in range(count):
        n = len(kinds) + (rng.choice([0, 0, 1, 2, 3, 8]) if LIST in kinds else 0)
        xs = [drawn(rng) for _ in range(n)]
        if rng.random() < 0.3:
            xs = [xs[0] + rng.gauss(0.0, 1.0) for _ in xs]
        if rng.random() < 0.1:
            xs = [xs[0] for _ in xs]
        for i, kind in enumerate(kinds):
            if kind == INT:
                xs[i] = float(rng.randint(0, 8))
        if name.endswith(("polygamma", "power_c_slope")):
            xs[-1] = float(rng.randint(1, 6))
        if name in ("_zeta", "_stirling", "_log_minus_digamma"):
            xs = [abs(x) for x in xs]
        if name == "_zeta":
            xs[0] += 2.0
        if name == "_scaled_exp":
            xs = [-abs(math.remainder(x, 800.0)) if math.isfinite(x) else -1.0 for x in xs]
        yield xs


def arguments(name: str, xs: list[float]) -> list[Any]:
    """Return the arguments of the function in Python."""
    form, kinds = FORMS[name], kinds_of(name)
    if LIST not in kinds or (not isinstance(form, tuple) and signature(form).star):
        return [int(x) if kind == INT else x for x, kind in zip(xs, kinds, strict=False)] + xs[
            len(kinds) :
        ]
    before, behind = kinds.index(LIST), len(kinds) - kinds.index(LIST) - 1
    end = len(xs) - behind
    return [*xs[:before], xs[before:end], *xs[end:]]


RARE = {
    "row_remainder": [[-5e-284, 5e-324], [5e-284, -5e-324]],
    "row_hypot": [[1e-310, 3e-310], [5e-324, 5e-324, 5e-324], [1e-309, 1e-300], [1e308, 1e308]],
    "row_sum": [[1e308, 1e308, -1e308], [2.0**53, 1.0, 2.0**-60], [-(2.0**53), -1.0, -1e-30]],
}
"""Points where an implementation may easily go wrong."""

ONE_LIST = [name for name in FORMS if kinds_of(name).count(LIST) < 2]


@pytest.mark.parametrize("name", ONE_LIST)
def test_bits_and_failures_are_those_of_python(built: native.Native, name: str) -> None:
    found = [*points(name, 30 if name in SLOW else 150)]
    if name.startswith("row_"):
        found += [[*map(float.fromhex, case[0])] for case in TRUTHS.get(name[4:], [])]
    found += RARE.get(name, [])
    if kinds_of(name) == (FLOAT,):
        found += [[x] for x in HARD] * (name not in SLOW)
    for xs in found:
        expected = native.in_python(FUNCTIONS[name], arguments(name, xs))
        result = built(name, xs)
        if isinstance(result, int) or isinstance(expected, int):
            assert result == expected, xs
        else:
            assert [*map(native.bits, result)] == [*map(native.bits, expected)], xs


def test_two_lists(built: native.Native) -> None:
    """The entries of several lists are told apart by their lengths."""
    found = signature(reductions._times)
    assert found.call(["xs", "3", "ys", "3", "0.0"], "out") == (
        "mg__times(xs, 3, ys, 3, 0.0, out, failed)"
    )


def test_sums_beside_the_largest_float(built: native.Native) -> None:
    """There the error of a sum overflows, as Knuth computes it, although the sum does not."""
    most = sys.float_info.max
    pairs = [(-most, 1.5 * 2.0**971)]
    pairs += [(most, -x * 1e307) for x in (5.147846536320292, 6.650117382860506, 8.535439052859102)]
    for pair in [*pairs, *[(-x, -y) for x, y in pairs]]:
        expected, result = native.in_python(FUNCTIONS["row_sum"], [*pair]), built("row_sum", pair)
        assert repr(result) == repr(expected), pair


def test_sums_near_the_middle_of_two_floats(built: native.Native) -> None:
    """There the smallest term decides."""
    draw = random.Random(0)
    for _ in range(300):
        x = draw.uniform(1.0, 2.0) * 2.0 ** draw.randint(-1000, 1000)
        half = draw.choice((0.5, -0.5)) * math.ulp(x)
        rests = [half * draw.choice((1.0, 0.0, -1.0)) * 2.0 ** -draw.randint(1, 200) for _ in "abc"]
        xs = draw.sample([x, half, *rests], 5)
        expected, result = native.in_python(FUNCTIONS["row_sum"], xs), built("row_sum", xs)
        assert repr(result) == repr(expected), xs


def test_a_list_that_is_too_long_is_left_to_python(built: native.Native) -> None:
    assert built("long_list", [128.0]) == [64.0]
    assert built("long_list", [129.0]) == OVERFLOW


def test_an_int_that_is_too_large_is_left_to_python(built: native.Native) -> None:
    assert built("power_c_slope", [2.0, 3.0, 1e10]) == OVERFLOW


# What is refused: the body of a function of x, xs and n, and what the error says.

REFUSED = [
    ("return x if x else 'a'", "'a'"),
    ("return f'{x}'", "f'{x}'"),
    ("return (lambda: x)()", "(lambda: x)()"),
    ("with x:\n        pass", "with x:\n    pass"),
    ("pass", "pass"),
    ("return ~n", "~n"),
    ("return n << 2", "n << 2"),
    ("return n ** 2", "n ** 2"),
    ("return x // 2.0", "x // 2.0"),
    ("return xs + 1.0", "xs + 1.0"),
    ("return x is None", "None"),
    ("return x is x", "x is x"),
    ("return x in xs", "xs"),
    ("return x or 1.0", "x or 1.0"),
    ("return x + 2**40", "2 ** 40"),
    ("return y", "y"),
    ("return math.nothing", "math.nothing"),
    ("return nothing(x)", "nothing(x)"),
    ("return math.log(x, y=2.0)", "math.log(x, y=2.0)"),
    ("return math.log(x, 2.0)", "math.log(x, 2.0)"),
    ("return math.exp(*xs)", "*xs"),
    ("return math.exp(xs)", "xs"),
    ("return len(x)", "x"),
    ("return 1.0 if not [x] + x else 2.0", "[x] + x"),
    ("return xs[x]", "x as an int"),
    ("return xs[-2]", "the index -2"),
    ("return sum(xs[::2])", "xs[::2]"),
    ("return sum(xs[1:2])", "xs[1:2]"),
    ("return sum(xs[0])", "xs[0]"),
    ("return math.frexp(x)[0]", "math.frexp(x)[0]"),
    ("return math.ldexp(x, x)", "x as an int"),
    ("return sum([y for y in range(n)])", "[y for y in range(n)]"),
    ("return sum([y * z for y in xs for z in xs])", "[y * z for y in xs for z in xs]"),
    ("return all(xs)", "all(xs)"),
    ("return MIXED[0]", "MIXED"),
    ("y = 1\n    y = x\n    return y", "y, first long long, then double"),
    ("y = x\n    y = [x]\n    return y[0]", "y, first double, then list"),
    ("y = bounded(x, x)\n    return x", "y, first void, then void"),
    ("y = xs\n    return y[0]", "two names for one list"),
    ("y = [x]\n    y, z = [x], y\n    return z[0]", "two names for one list"),
    ("xs[0] = x\n    return x", "xs[0]"),
    ("xs.append(x)\n    return x", "xs"),
    ("y.append(x)\n    return x", "y"),
    ("math.x = x\n    return x", "math.x"),
    ("x -= 1.0 if xs else xs\n    return x", "xs"),
    ("y = [x]\n    y *= 2\n    return x", "y *= 2"),
    ("y: float\n    return x", "y: float"),
    ("for i in range(0, n, 2):\n        x += i\n    return x", "range(0, n, 2)"),
    (
        "for i in range(n):\n        n = 2\n    return x",
        "a loop that assigns n, over which it runs",
    ),
    ("for y in xs:\n        x += y\n    else:\n        x = 0.0\n    return x", "for y in xs:\n"),
    (
        "while x > 1.0:\n        x -= 1.0\n    else:\n        x = 0.0\n    return x",
        "while x > 1.0:\n",
    ),
    ("raise TypeError", "raise TypeError"),
    ("raise", "raise"),
    ("x\n    return x", "x"),
    ("try:\n        x += 1.0\n    except ValueError:\n        x = 0.0\n    return x", "try:\n"),
    (
        "try:\n        x = math.log(x)\n    except TypeError:\n        x = 0.0\n    return x",
        "try:\n",
    ),
    ("try:\n        x = math.log(x)\n    except:\n        x = 0.0\n    return x", "try:\n"),
    ("try:\n        return\n    except ValueError:\n        x = 0.0\n    return x", "try:\n"),
    ("try:\n        x = math.log(x)\n    finally:\n        x = 0.0\n    return x", "try:\n"),
]

MIXED = (1.0, 2)
HEAD = "import math\n\ndef f(x: float, n: int, *xs: float) -> float:\n    "


def made(source: str) -> Callable[..., Any]:
    """Return the function f of a source."""
    file = f"<{source}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    namespace: dict[str, Any] = {"MIXED": MIXED, "bounded": bounded}
    exec(compile(source, file, "exec"), namespace)
    f: Callable[..., Any] = namespace["f"]
    return f


@pytest.mark.parametrize(("body", "construct"), REFUSED)
def test_what_is_outside_the_subset_is_refused(body: str, construct: str) -> None:
    f = made(HEAD + body)
    with pytest.raises(CompileError, match=rf">:[4-9]: no C form of {re.escape(construct)}"):
        signature(f)


@pytest.mark.parametrize(
    ("source", "construct"),
    [
        ("def f(x: str) -> float:\n    return 1.0", "the type str"),
        ("def f(x) -> float:\n    return 1.0", "the type nothing"),
        (
            "def f(*xs: float) -> float:\n    return f(*xs)",
            "a function of lists that calls itself",
        ),
        (
            "def f(xs: list[float]) -> float:\n    ys = [1.0]\n    for x in xs:\n        for y in xs:\n            ys.append(y)\n    return ys[0]",  # noqa: E501
            "",
        ),
    ],
)
def test_functions_that_are_refused(source: str, construct: str) -> None:
    if construct:
        with pytest.raises(CompileError, match=re.escape(construct)):
            signature(made(source))
    else:  # a list without a bound that is linear
        assert "ys_own[128]" in define(made(source)).text


@pytest.mark.parametrize("f", [print, math.dist, [].append, int])
def test_what_has_no_form_is_refused(f: Callable[..., Any]) -> None:
    with pytest.raises(CompileError, match="has no C form"):
        signature(f)


def test_a_name_of_the_prelude_is_refused() -> None:
    with pytest.raises(CompileError, match="has no C form"):
        signature(made("def checked(x: float) -> float:\n    return x\nf = checked"))


def filled(template: Template, operands: list[str]) -> str:
    """Return the source of a template with names for its operands."""
    gaps = [operands[i] for i, _ in template.gaps]
    return "".join([x for pair in zip(template.pieces, [*gaps, ""], strict=True) for x in pair])


def test_expressions_keep_their_gaps() -> None:
    for name in sorted(WRITTEN):
        names = ["x", "y", "z", "w"][: max(arities(PRIMITIVES[name]))]
        for statement in SOURCES[name].split("; "):
            target, _, source = statement.rpartition(" = ")
            found = expression(source, tuple(names))
            operands = [names[i] for i, _ in found.gaps]
            assert sorted({*operands}) == sorted({*re.findall(r"\b[epqxyzw]\b", source)})
            names.append(target)
    found = expression("-x - y % (x + 1.0)", ("x", "y"))
    assert filled(found, ["a", "b"]) == "-a - mg_mod(b, mg_nonzero(a + 1.0, failed))"
    assert found.gaps == ((0, 5), (1, 0), (0, 2))
    assert filled(expression("x", ("x",)), ["a"]) == "a"


def test_an_expression_cannot_need_statements() -> None:
    with pytest.raises(CompileError, match="is no expression in C"):
        expression("sum([x, y])", ("x", "y"))


def test_the_library_is_what_is_needed_in_order() -> None:
    text = library(["mg_silu", "tanh", "mg_silu"])
    found = re.findall(r"^static .*?\b(mg_\w+)\(", text, re.MULTILINE)
    assert found[-1] == "mg_silu"
    assert sorted(found) == sorted({*found})
    for i, name in enumerate(found):
        body = text[text.index(f" {name}(") :].split("\n}\n")[0]
        assert {*re.findall(r"\b(mg_\w+)\(", body)} <= {*found[: i + 1]}
    assert "mg_gamma" not in text
    assert "mg_special" not in library(["mg__zeta"])


def test_the_functions_in_c_are_those_in_python() -> None:
    for name, text in files().items():
        assert (PLACE / name).read_text("ascii") == text, "run python tools/translate"


def test_signatures_are_read_as_they_were_written() -> None:
    for f in [*NUMERIC.values(), *BUILTINS]:
        assert clibrary.signature(f.__name__) == signature(f)


def run(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the tool on the library in a directory, which does not count for coverage."""
    tool = Path(__file__).parents[1] / "tools" / "translate"
    environment = {x: os.environ[x] for x in os.environ if not x.startswith("COVERAGE")}
    environment["PYTHONPATH"] = str(directory)
    command = [sys.executable, str(tool), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_function_that_changes_in_python_is_noticed_and_changed_in_c(tmp_path: Path) -> None:
    package = tmp_path / "microgradlib"
    shutil.copytree(PLACE.parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    module, written = package / "numeric" / "piecewise.py", package / "compiling" / "numeric.c"
    text = module.read_text("utf-8")
    assert "if x > 0.0 or x != x else 0.0" in text
    module.write_text(text.replace("if x > 0.0 or x != x else 0.0", "if x > 0.25 else 0.0"))
    before = written.read_bytes()
    checked = run("--check", directory=tmp_path)
    assert checked.returncode == 1, checked.stderr
    assert checked.stdout.startswith("numeric.c is not what the functions in Python give")
    assert written.read_bytes() == before
    assert run(directory=tmp_path).stdout == "numeric.c has changed\n"
    assert "x > 0.25 ? x : 0.0" in written.read_text("ascii")
    assert run("--check", directory=tmp_path).returncode == 0
    usage = run("--chekc", directory=tmp_path)
    assert (usage.returncode, usage.stdout[:6]) == (2, "Usage:")


def test_names_are_unique() -> None:
    names = [f.__name__ for f in NUMERIC.values()]
    found = [
        name
        for m in MODULES
        for name, f in vars(m).items()
        if f in NUMERIC.values() and f.__module__ == m.__name__
    ]
    assert sorted(names) == sorted(found)
