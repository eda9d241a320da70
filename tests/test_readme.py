"""What the README shows: its commands, its numbers, and its two trainings side by side.

Its quick start is a doctest that pytest collects; ``.ci/run`` extracts its commands and runs them.
"""

import builtins
import contextlib
import doctest
import io
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import test_examples
from truths.measure import promised_ulps

import microgradlib as mg
import microgradlib.math
import microgradlib.testing
from microgradlib import nn, optim
from microgradlib.core.table import PRIMITIVES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CONTENTS = (ROOT / "docs" / "contents.md").read_text("utf-8")


def block(marker: str) -> str:
    """Return the fenced block that follows a marker."""
    found = re.findall(rf"^<!-- {marker} -->\n```\w+\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def printed(program: str, epochs: int) -> list[str]:
    """Run a training of the README for fewer epochs; return the lines that it prints."""
    assert program.count("range(10_000)") == 1
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(program.replace("range(10_000)", f"range({epochs})"), {"__name__": "readme"})
    return output.getvalue().splitlines()


@pytest.mark.parametrize(
    ("marker", "commands"),
    [
        (
            "pip: run the XOR example",
            (
                "python3 -m venv .venv && . .venv/bin/activate\n"
                'pip install -e ".[examples]" && python examples/xor.py\n'
            ),
        ),
        ("pip: run the tests", 'pip install -e ".[test]" && python -m pytest\n'),
        ("uv: run the XOR example", "uv run --extra examples examples/xor.py\n"),
        ("uv: run the tests", "uv run --extra test python -m pytest\n"),
    ],
)
def test_commands(marker: str, commands: str) -> None:
    assert block(marker) == commands


def test_the_quick_start_is_collected(pytestconfig: pytest.Config) -> None:
    assert "README.md" in pytestconfig.getini("testpaths")
    assert any(fnmatch("README.md", glob) for glob in pytestconfig.getoption("doctestglob"))
    examples = doctest.DocTestParser().get_examples(README)
    assert len(examples) == 10
    assert sum(bool(example.want) for example in examples) == 2


def test_predictions_of_the_xor_example() -> None:
    rows = re.findall(r"^\| ([^|]*(?:before|after)) \| (.*) \|$", README, re.MULTILINE)
    shown = [(kind.rpartition(", ")[2], [float(x) for x in row.split(" | ")]) for kind, row in rows]
    computed = [
        (when, numbers[name])
        for name in test_examples.BEFORE  # which are compared with what the example prints
        for when, numbers in (("before", test_examples.BEFORE), ("after", test_examples.AFTER))
    ]
    assert shown == computed


def training(library: str) -> str:
    """Return the training that follows the imports of a library."""
    return block(f"imports, {library}") + block("the first training")


class TestSideBySide:
    def test_ours_gives_the_numbers_that_are_quoted(self) -> None:
        pytest.importorskip("numpy")
        numbers = printed(training("microgradlib"), 10_000)
        assert numbers == ["0.0483", "0.9567", "0.9425", "0.0434"]
        assert f"print the same numbers: {', '.join(numbers)}." in README

    @pytest.mark.torch
    def test_both_print_the_same(self) -> None:
        pytest.importorskip("torch")
        for epochs in (0, 50):
            ours, theirs = training("microgradlib"), training("PyTorch")
            assert printed(ours, epochs) == printed(theirs, epochs)

    def test_the_shorter_spelling_is_the_same_network(self) -> None:
        pytest.importorskip("numpy")
        names: dict[str, Any] = {}
        exec(training("microgradlib").partition("optimizer =")[0], names)
        mg.manual_seed(42)
        short, model = nn.MLP(2, [2, 1]), names["model"]
        assert short.state_dict() == model.state_dict()
        assert short([0.0, 1.0])[0].data == model([0.0, 1.0])[0].data


def test_files_that_it_names_exist() -> None:
    paths = re.findall(r"(?:src|examples|docs|benchmarks)/[\w/.-]+\w", README + CONTENTS)
    paths += [link for link in re.findall(r"\]\(([^)]*)\)", README) if "//" not in link]
    assert {"examples/xor.py", "docs/performance.md", "LICENSE"} <= set(paths)
    for path in paths:
        assert (ROOT / path).is_file(), path


def test_names_that_it_lists_exist() -> None:
    names = re.findall(r"`([A-Za-z_][\w.]*)", CONTENTS)
    assert len(names) > 30
    known = {**vars(builtins), **vars(mg.Value), **vars(nn), **vars(optim)}
    known |= {name: getattr(mg, name) for name in dir(mg)}
    for name in names:
        eval(name, known | {"mg": mg, "microgradlib": mg})


def test_figures_of_the_table_of_primitives() -> None:
    public = [row for row in PRIMITIVES.values() if not row.helper]
    (rounded,) = re.findall(r"About (\d+) primitives", CONTENTS)
    assert round(len(public), -1) == int(rounded)
    ((ulps, exception, its_ulps),) = re.findall(
        r"within (\d+) units in the last place\s+\((\w+): (\d+)\)", CONTENTS
    )
    promised = {row.name: promised_ulps(row) for row in public}
    assert max(promised.values()) == int(*re.findall(r"within (\d+) units", README))
    assert promised.pop(exception) == int(its_ulps)
    assert set(promised.values()) == {int(ulps)}
