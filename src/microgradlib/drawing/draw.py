"""``draw`` and ``Drawing``: a picture of the graph that a Value was computed from."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from microgradlib.core.value import Value
from microgradlib.drawing import rendering
from microgradlib.drawing.boxes import picture_of
from microgradlib.drawing.files import save_as
from microgradlib.drawing.graph import backward_pass, graph_of
from microgradlib.drawing.parts import parts_of
from microgradlib.drawing.png import png
from microgradlib.drawing.rendering import Picture
from microgradlib.drawing.summary import partition
from microgradlib.drawing.text import parameter_names
from microgradlib.errors import short
from microgradlib.interpreters import current

CHOICES: dict[str, tuple[str | None, ...]] = {
    "engine": (None, "dot", "builtin"),
    "direction": (None, "right", "down"),
}


class Drawing:
    """A drawing of a graph: Jupyter shows it, ``save`` writes it to a file.

    ``draw`` makes it. It keeps the numbers of that moment and does not refer to the graph.

    >>> drawing = draw(Value(2.0, label="x") * 3.0)
    >>> drawing.boxes[1].title, drawing.boxes[1].lines
    ('x * 3', ('data 6', 'grad 0'))

    Attributes:
        boxes: a ``Box`` for each node, or for several nodes in a summary, inputs first.
        edges: an ``Edge`` for each arrow.
        groups: the titles of the frames, in the order of the numbers that boxes refer to.
    """

    def __init__(self, picture: Picture, engine: str | None) -> None:
        """Keep the picture, and the engine that arranges it as SVG."""
        self._picture = picture
        self._engine = engine
        self.boxes = picture.boxes
        self.edges = picture.edges
        self.groups = picture.groups

    def __repr__(self) -> str:
        what = self._picture.caption or f"{len(self.boxes)} nodes"
        return f"Drawing({what}, {len(self.edges)} edges)"

    def _repr_svg_(self) -> str:
        """Return the SVG for Jupyter."""
        return self.to_svg()

    def to_svg(self) -> str:
        """Return the drawing as SVG, arranged by the engine that was passed to ``draw``.

        >>> draw(Value(2.0), engine="builtin").to_svg().splitlines()[-1]
        '</svg>'

        Raises:
            RuntimeError: if the engine is "dot", and Graphviz is not installed or fails.
        """
        if self._engine != "builtin":
            try:
                return rendering.graphviz(self.to_dot())
            except RuntimeError as error:
                if self._engine == "dot":
                    raise RuntimeError(
                        f'draw: {error}; install Graphviz, or use engine="builtin"'
                    ) from None
        return rendering.svg(self._picture)

    def to_dot(self) -> str:
        """Return the drawing in the language of Graphviz.

        >>> draw(Value(2.0)).to_dot().splitlines()[0]
        'digraph {'
        """
        return rendering.dot(self._picture)

    def to_mermaid(self) -> str:
        """Return the drawing in the language of Mermaid, which many sites show in Markdown.

        Mermaid draws at most 500 edges, unless a site sets another limit.

        >>> print(draw(Value(3.0, label="x").exp()).to_mermaid(), end="")
        flowchart LR
          n0(["x<br>data 3<br>grad 0"]):::leaf
          n1["exp#40;x#41;<br>data 20.09<br>grad 0"]:::result
          n0 -->|"20.09"| n1
          classDef leaf fill:#d9ecf8,stroke:#0072b2,color:#111111
          classDef result fill:#d6efe6,stroke:#00775a,color:#111111
        """
        return rendering.mermaid(self._picture)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the drawing to a file; a crash in the middle leaves an old file unchanged.

        The suffix tells the format: .svg; .png; .dot or .gv; .mmd or .mermaid. PNG needs CairoSVG
        or matplotlib, and has the arrangement of ``engine="builtin"``.

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     draw(Value(2.0)).save(Path(folder, "graph.mmd"))
        ...     print(Path(folder, "graph.mmd").read_text().splitlines()[0])
        flowchart LR

        Args:
            path: the name of the file.

        Raises:
            TypeError: if ``path`` is not a file name.
            ValueError: if the suffix is none of these.
            OSError: if the file cannot be written.
            RuntimeError: if the format is SVG and ``to_svg`` raises it, or if it is PNG and neither
                CairoSVG nor matplotlib is installed.
        """
        formats: dict[str, Callable[[], str | bytes]] = {
            ".svg": self.to_svg,
            ".png": self._to_png,
            ".dot": self.to_dot,
            ".gv": self.to_dot,
            ".mmd": self.to_mermaid,
            ".mermaid": self.to_mermaid,
        }
        save_as("Drawing.save", path, formats, ", and convert an SVG to other formats")

    def _to_png(self) -> bytes:
        """Return the drawing as PNG, arranged by the layout of the library."""
        return png(rendering.svg(self._picture))


def draw(
    v: Value | Sequence[Value],
    *,
    model: Any = None,
    max_nodes: int = 300,
    engine: str | None = None,
    flow: bool = False,
    direction: str | None = None,
) -> Drawing:
    """Draw the graph that a Value was computed from; a notebook shows it.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> c = a * b + a
    >>> c.backward()
    >>> drawing = draw(c)
    >>> drawing
    Drawing(4 nodes, 4 edges)
    >>> titles = [box.title for box in drawing.boxes]
    >>> for edge in drawing.edges:
    ...     print(titles[edge.source], "->", titles[edge.target], edge.text)
    a -> a * b -3
    b -> a * b 2
    a * b -> · + a 1
    a -> · + a 1

    A box shows the label, the operation, ``data`` and ``grad`` of a node; an edge shows the
    derivative of a node with respect to an input, and is dashed if the node did not select the
    input, as ``relu`` below 0. ``a + a`` has two edges. A pointer over a box shows its numbers in
    full.

    A graph has one size whatever its numbers are, so that drawings of it are frames of an
    animation.

    A graph of more than ``max_nodes`` nodes is summarised. One box stands for nodes of the same
    operation and layer that follow each other or stand side by side, or for leaves whose names
    differ in their numbers alone. Where that makes too many boxes, one box stands for a layer of
    the model, or for layers whose paths begin alike: it shows how many parameters and nodes there
    are, and the Euclidean norms of their numbers, and the drawing goes down. Without layers, one
    box stands for a range of depths (the longest path from a leaf).

    Args:
        v: the result, or a list of several.
        model: a module that took part in the computation. The nodes of each of its layers are drawn
            in a frame, and parameters without a label have their name in the model.
        max_nodes: how many nodes, and four times as many edges, are drawn one by one; at least 1.
        engine: what arranges an SVG. "dot" is Graphviz's program of that name. "builtin" is part of
            this library, and gives the same drawing on every machine. None takes Graphviz where it
            is installed and works.
        flow: whether edges show what flows back along them instead, as "← 1.5": the gradient of the
            results with respect to the node, times the derivative. In a summary they show the
            Euclidean norm. It takes no call of ``backward()``.
        direction: where edges lead, "right" or "down". None takes "right", or "down" where the
            drawing would be a strip. A narrow page has room for "down".

    Raises:
        TypeError: if ``v`` is neither a Value nor a list of them, or ``model`` is not a module.
        ValueError: if ``v`` is empty, ``max_nodes`` < 1, or there is no such engine or direction.
        CompileError: in a function that is being compiled.
    """
    roots = _checked_roots(v, max_nodes, engine=engine, direction=direction)
    graph = graph_of(roots)
    names = parameter_names("draw", model)
    parts = {} if model is None else parts_of(model, graph)
    adjoints = backward_pass(roots)[1] if flow else None
    found = partition(graph, max_nodes, names, parts)
    picture = picture_of(graph, found, roots, names, parts, adjoints)
    return Drawing(picture._replace(direction=direction or picture.direction), engine)


def _checked_roots(v: Any, max_nodes: Any, **chosen: Any) -> list[Value]:
    roots = [v] if isinstance(v, Value) else v
    if not isinstance(roots, list | tuple) or not all(isinstance(x, Value) for x in roots):
        raise TypeError(
            f"draw: expected a Value or a list of Values, got {short(v)}; call draw(loss)"
        )
    if not roots:
        raise ValueError("draw: expected a Value or a list of Values, got an empty one")
    if isinstance(max_nodes, bool) or not isinstance(max_nodes, int):
        raise TypeError(f"draw: max_nodes must be an int, got {short(max_nodes)}")
    if max_nodes < 1:
        raise ValueError(f"draw: max_nodes must be at least 1, got {short(max_nodes)}")
    for name, choice in chosen.items():
        if choice not in CHOICES[name]:
            known = ", ".join(map(repr, CHOICES[name]))
            raise ValueError(f"draw: unknown {name} {short(choice)}; choose one of {known}")
    current().forbid("draw()", "draw what a call of it returns")
    return list(roots)
