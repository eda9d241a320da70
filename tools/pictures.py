"""Draw one expression with three libraries: ``python tools/pictures.py``.

It writes the pictures of docs/drawing.md: ours, that of micrograd's graph, and that of torchviz.
The last two need Graphviz's program ``dot``, micrograd, PyTorch and torchviz; those that cannot be
made are left as they are. ``tests/test_docs.py`` checks that ours is what the library draws.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import microgradlib as mg

STATIC = Path(__file__).parent.parent / "docs" / "static"
ADDRESS = re.compile(r"\d{9,}")
INPUTS = {"x": 2.0, "w": -3.0, "b": 6.5}


def neuron(make: Callable[[float], Any]) -> tuple[Any, dict[str, Any]]:
    """Return the output of a neuron without negative values, and its inputs by name."""
    leaves = {name: make(number) for name, number in INPUTS.items()}
    return (leaves["w"] * leaves["x"] + leaves["b"]).relu(), leaves


def ours() -> str:
    """Return the drawing of this library."""
    y, leaves = neuron(mg.Value)
    for name, leaf in leaves.items():
        leaf.label = name
    y.label = "y"
    y.backward()
    return mg.draw(y, engine="builtin", direction="down").to_svg()


def traced(root: Any, names: dict[int, str]) -> str:
    """Return micrograd's graph in DOT: a record for each number, an ellipse for its operation."""
    lines = ["digraph {", "  rankdir=LR", "  node [fontname=monospace]"]
    pending, seen = [root], {id(root)}
    while pending:
        node = pending.pop()
        name = names.get(id(node), "")
        numbers = f"data {node.data:.4f} | grad {node.grad:.4f}"
        lines.append(f'  n{id(node)} [shape=record, label="{{ {name} | {numbers} }}"]')
        if node._op:
            lines.append(f'  o{id(node)} [label="{escape(node._op)}"]')
            lines.append(f"  o{id(node)} -> n{id(node)}")
        for x in sorted(node._prev, key=lambda x: x.data):  # it is a set
            lines.append(f"  n{id(x)} -> o{id(node)}")
            if id(x) not in seen:
                seen.add(id(x))
                pending.append(x)
    return "\n".join([*lines, "}"])


def micrograd() -> str:
    """Return what Graphviz makes of micrograd's graph."""
    from micrograd.engine import Value

    y, leaves = neuron(Value)
    y.backward()
    names = {id(leaf): name for name, leaf in leaves.items()}
    return by_graphviz(traced(y, names | {id(y): "y"}))


def torchviz() -> str:
    """Return the drawing of torchviz."""
    import torch
    from torchviz import make_dot

    def leaf(x: float) -> Any:
        return torch.tensor(x, dtype=torch.float64, requires_grad=True)

    y, leaves = neuron(leaf)
    return by_graphviz(make_dot(y, params=leaves).source)


def by_graphviz(source: str) -> str:
    """Return the SVG that Graphviz makes of DOT, without its prologue and comments.

    Nodes named by their address in memory are numbered, so that every run gives the same file.
    """
    program = shutil.which("dot")
    if program is None:
        raise ImportError("Graphviz's program dot is not on the PATH")
    numbers = {address: str(i) for i, address in enumerate(dict.fromkeys(ADDRESS.findall(source)))}
    source = ADDRESS.sub(lambda found: numbers[found[0]], source)
    done = subprocess.run(
        [program, "-Tsvg"], input=source, capture_output=True, text=True, check=True
    )
    svg = done.stdout[done.stdout.index("<svg") :]
    return "\n".join(line for line in svg.splitlines() if not line.startswith("<!--")) + "\n"


PICTURES: dict[str, Callable[[], str]] = {
    "neuron.svg": ours,
    "neuron-micrograd.svg": micrograd,
    "neuron-torchviz.svg": torchviz,
}


def main() -> None:
    """Write all that can be made."""
    for name, make in PICTURES.items():
        try:
            (STATIC / name).write_text(make(), "utf-8")
        except ImportError as error:
            print(f"pictures.py: {name} stays as it is: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
