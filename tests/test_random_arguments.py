"""Random nested arguments through every transform, eagerly and compiled.

A function is a random polynomial of all numbers that it gets: in nested arguments, in keywords, and
in Values that it closes over. The right derivatives are those of the polynomial, computed here from
its coefficients. Where a number is a Value that needs a gradient, the derivatives are Values, and
``backward()`` from them gives the second derivatives.
"""

import math
import random
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from random_trees import (
    BLOCKS,
    Path,
    Tree,
    at,
    draw_tree,
    holder,
    number,
    plain,
    run_block,
    skeleton,
)

import microgradlib as mg
from microgradlib import Value

PROGRAMS = 2_000
MODES = ["grad", "value_and_grad", "jacobian", "hessian", "jvp", "vjp", "hvp"]
REFUSED = "with numbers in it that are not parameters|computed from ints is an int is not traced"
MODULES = [("attribute", "w"), ("attribute", "b")]

Monomial = tuple[float, dict[int, int]]


class Polynomial(NamedTuple):
    """A sum of coefficients times powers of variables, which are numbered."""

    terms: list[Monomial]

    def __call__(self, z: Sequence[Any]) -> Any:
        """Compute it, of floats or Values."""
        total: Any = 0.0
        for coefficient, powers in self.terms:
            term: Any = coefficient
            for i, power in powers.items():
                term = term * (z[i] if power == 1 else z[i] ** power)
            total = total + term
        return total

    def slope(self, i: int) -> "Polynomial":
        """Return its derivative in a variable."""
        return Polynomial(
            [
                (c * powers[i], {j: p - (i == j) for j, p in powers.items() if p - (i == j)})
                for c, powers in self.terms
                if i in powers
            ]
        )

    def variables(self) -> set[int]:
        """Return the variables in it."""
        return {i for _, powers in self.terms for i in powers}


def draw_polynomial(rng: random.Random, count: int) -> Polynomial:
    """Draw a polynomial of some of the variables."""
    terms = []
    for _ in range(rng.randint(1, 3)):
        chosen = rng.sample(range(count), rng.randint(1, min(3, count)))
        terms.append(
            (rng.choice([-1.5, -1.0, 0.5, 1.0, 2.0]), {i: rng.choice([1, 1, 2, 3]) for i in chosen})
        )
    return Polynomial(terms)


def within(place: int, path: Path) -> Path:
    """Return the path of a part of an entry."""
    return Path((("item", place), *path.steps), path.index)


def joined(path: Path, more: Path) -> Path:
    """Return the path of a derivative; the axes of arrays come last."""
    return Path(path.steps + more.steps, path.index + more.index)


class Leaf(NamedTuple):
    """A number of an argument: which argument, and where in it."""

    argument: int | str
    path: Path


class Program:
    """A random function, and what is to be computed of it.

    Attributes:
        z: all numbers, as they are given: those of the arguments, then those from outside.
        args: the positional arguments.
        kwargs: the keyword arguments.
        directions: tangents or cotangents.
        selected: the numbers in which is differentiated, in order.
    """

    def __init__(self, seed: int) -> None:
        """Draw it."""
        rng = self.rng = random.Random(seed)
        self.mode = rng.choice(MODES)
        self.all = self.mode in ("jvp", "vjp", "hvp")  # these differentiate in every argument
        self.trees = [
            draw_tree(rng, depth=rng.choice([1, 1, 2])) for _ in range(rng.choice([1, 1, 2]))
        ]
        self.names = ["k"] if not self.all and rng.random() < 0.3 else []
        self.notes = [] if self.all else rng.choice([[], [], ["text"], [True], [None]])
        every = [*self.trees, *[draw_tree(rng, depth=1) for _ in self.names]]
        positions = [*range(len(self.trees)), *self.names]
        self.leaves = [
            Leaf(i, path) for i, tree in zip(positions, every, strict=True) for path in tree.paths
        ]
        self.kinds = [kind for tree in every for kind in tree.kinds]
        self.every = every
        self.kinds += rng.choice([[], [], ["Value"], ["frozen"]])  # from outside
        self.argnums = self.draw_argnums()
        wanted = [self.argnums] if isinstance(self.argnums, int) else self.argnums
        self.positions = [i % (len(self.trees) + len(self.notes)) for i in wanted]
        self.out = (
            draw_tree(rng, ["float"], depth=1)
            if self.mode in ("jacobian", "jvp", "vjp")
            else Tree(next, [Path(())], ["float"])
        )
        self.polynomials = [draw_polynomial(rng, len(self.kinds)) for _ in self.out.paths]
        self.has_aux = self.mode in ("grad", "value_and_grad") and rng.random() < 0.2
        self.whole = rng.random() < 0.5  # whether arrays are computed with as a whole
        self.directed = rng.choice(["float", "float", "Value"])
        self.tied = rng.random() < 0.2
        self.outside: list[Value] = []
        self.give()

    def draw_argnums(self) -> Any:
        """Draw the arguments in which to differentiate."""
        rng, count = self.rng, len(self.trees)
        if self.all:
            return tuple(range(count))
        total = count + len(self.notes)
        if rng.random() < 0.5:
            return rng.randrange(count) - total * rng.randrange(2)
        chosen = rng.sample(range(count), rng.randint(1, count))
        return rng.choice([tuple, list])(chosen)

    def give(self) -> None:
        """Draw the numbers, and make the arguments of them."""
        rng = self.rng
        self.z = [
            number(kind, rng.choice([-2.0, -1.0, 0.0, 1.0, 1.0, 2.0, 3.0])) for kind in self.kinds
        ]
        if self.outside:  # the same Value, of which the number changes
            self.outside[0].data = self.z[-1].data
            self.z[-1] = self.outside[0]
        values = [i for i, kind in enumerate(self.kinds) if kind == "Value"]
        if self.tied and len(values) > 1:  # one Value in two places, which may be from outside
            self.z[values[0]] = self.z[values[-1]]
        given, trees = iter(self.z), []
        for tree in self.every:
            trees.append(tree.make(given))
        count = len(self.trees)
        self.args = [*trees[:count], *self.notes]
        self.kwargs = dict(zip(self.names, trees[count:], strict=True))
        self.outside = [*given]
        self.directions: list[Any] = []
        self.weights: list[Any] = []
        self.linking: list[Value] = []  # those of the weights that need gradients
        if self.mode in ("jvp", "hvp"):
            for tree in self.trees:
                self.directions.append(self.direction(tree))
        if self.mode == "vjp":
            self.directions.append(self.direction(self.out))

    def direction(self, tree: Tree) -> Any:
        """Draw a tangent or cotangent."""
        weights = [
            number(
                kind if "parameter" in kind else self.directed,
                self.rng.choice([-1.0, 0.0, 0.5, 2.0]),
            )
            for kind in tree.kinds
        ]
        self.weights += weights
        if self.directed == "Value":
            pairs = zip(tree.kinds, weights, strict=True)
            self.linking += [w for kind, w in pairs if "parameter" not in kind]
        return tree.of(weights)

    def f(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the polynomials of the numbers in the arguments."""
        args_given = [*self.args, *self.kwargs.values()]
        assert [*map(skeleton, [*args, *kwargs.values()])] == [*map(skeleton, args_given)]
        z = []
        for leaf in self.leaves:
            tree = kwargs[leaf.argument] if isinstance(leaf.argument, str) else args[leaf.argument]
            if self.whole and leaf.path.index:
                z.append((2 * holder(tree, leaf.path))[leaf.path.index] * 0.5)
            else:
                z.append(at(tree, leaf.path))
        z += self.outside
        results = self.out.of([p(z) for p in self.polynomials])
        return (results, {"aux": [z[0], "text"]}) if self.has_aux else results

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute what is to be computed."""
        count = len(self.args)
        args, directions = args[:count], args[count:]
        if self.mode == "jvp":
            return mg.jvp(self.f, args, directions)
        if self.mode == "hvp":
            return mg.hvp(self.f, args, directions)
        if self.mode == "vjp":
            out, pullback = mg.vjp(self.f, *args)
            return out, pullback(directions[0])
        transform = getattr(mg, self.mode)
        options = {"has_aux": True} if self.has_aux else {}
        return transform(self.f, self.argnums, **options)(*args, **kwargs)

    # What is right.

    def selected(self) -> list[tuple[int, Path]]:
        """Return each number in which is differentiated, and where its derivative is."""
        one = isinstance(self.argnums, int)
        return [
            (i, leaf.path if one else within(place, leaf.path))
            for place, position in enumerate(self.positions)
            for i, leaf in enumerate(self.leaves)
            if leaf.argument == position
        ]

    def slope(self, p: Polynomial, i: int) -> Polynomial:
        """Return a derivative, in which frozen parameters are constants."""
        return Polynomial([]) if self.kinds[i] == "frozen parameter" else p.slope(i)

    def expected(self) -> list[tuple[Path, list[tuple[Any, Polynomial]]]]:
        """Return where the numbers of the result are, and each as a sum: weights, polynomials."""
        mode, selected, weights = self.mode, self.selected(), self.weights
        rows = [*zip(self.out.paths, self.polynomials, strict=True)]
        p = self.polynomials[0]
        if mode in ("grad", "value_and_grad"):
            aux = self.has_aux
            slopes = [(path, [(1.0, self.slope(p, i))]) for i, path in selected]
            if mode == "grad":
                return [(within(0, path), terms) for path, terms in slopes] if aux else slopes
            value = Path((("item", 0),) * (1 + aux)), [(1.0, p)]
            return [value, *[(within(1, path), terms) for path, terms in slopes]]
        if mode == "jacobian":
            return [
                (joined(path, more), [(1.0, self.slope(p, i))])
                for path, p in rows
                for i, more in selected
            ]
        if mode == "hessian":
            return [
                (joined(path, more), [(1.0, self.slope(self.slope(p, i), j))])
                for i, path in selected
                for j, more in selected
            ]
        places = [i for i, _ in selected]
        if mode == "hvp":
            pairs = [*zip(weights, places, strict=True)]
            return [
                (path, [(w, self.slope(self.slope(p, i), j)) for w, j in pairs])
                for i, path in selected
            ]
        values = [(within(0, path), [(1.0, p)]) for path, p in rows]
        if mode == "vjp":
            pairs = [*zip(weights, self.polynomials, strict=True)]
            return values + [
                (within(1, path), [(w, self.slope(p, i)) for w, p in pairs]) for i, path in selected
            ]
        pairs = [*zip(weights, places, strict=True)]
        return values + [
            (within(1, path), [(w, self.slope(p, i)) for w, i in pairs]) for path, p in rows
        ]

    def check(self, way: Callable[..., Any]) -> None:
        """Compare a result, and the gradients that it passes on."""
        z = [plain(x) for x in self.z]
        result = way(*self.args, *self.directions, **self.kwargs)
        leaves = {*self.linking, *[self.z[i] for i in self.tracked()]}
        slopes = dict.fromkeys(leaves, 0.0)
        total: Any = 0.0
        linked, tracked = self.linked(), self.tracked()
        tied = tracked | {i for i, _ in self.selected()}
        for n, (path, terms) in enumerate(self.expected()):
            x = at(result, path)
            right = sum(plain(w) * p(z) for w, p in terms)
            assert math.isclose(plain(x), right, rel_tol=1e-12, abs_tol=1e-12), path
            is_plain = any(p in self.polynomials and not p.variables() & tied for _, p in terms)
            in_module = any(step in MODULES for step in path.steps)  # where all are Values
            if self.directed == "float" and not in_module and not is_plain:
                assert isinstance(x, Value) == linked, path
            weight = (n % 3) - 1.5
            total = total + weight * x
            for leaf in leaves:
                for w, p in terms:
                    places = [i for i in p.variables() & tracked if self.z[i] is leaf]
                    slopes[leaf] += weight * plain(w) * sum(p.slope(i)(z) for i in places)
                    slopes[leaf] += weight * p(z) * (w is leaf)
        for leaf in leaves:
            leaf.grad = 0.0
        if isinstance(total, Value) and total.requires_grad:
            total.backward()
        for leaf, slope in slopes.items():
            assert math.isclose(leaf.grad, slope, rel_tol=1e-12, abs_tol=1e-12)
        if self.mode == "grad" and not self.has_aux:
            like = [self.args[i] for i in self.positions]
            of = result if not isinstance(self.argnums, int) else (result,)
            assert [*map(skeleton, of)] == [*map(skeleton, like)]

    def tracked(self) -> set[int]:
        """Return the numbers that are Values in need of a gradient.

        The parameters of a module in which is differentiated are plain numbers.
        """
        given = {i for i, _ in self.selected()}
        kinds = enumerate(self.kinds)
        return {
            i for i, kind in kinds if kind == "Value" or (kind == "parameter" and i not in given)
        }

    def linked(self) -> bool:
        """Return whether derivatives are Values."""
        given = {i for i, _ in self.selected()}
        outputs = self.polynomials
        if self.mode in ("hessian", "hvp"):  # the derivatives of the gradient
            outputs = [self.slope(p, i) for p in outputs for i in given]
        used = set().union(*[p.variables() for p in outputs])
        return not self.tracked().isdisjoint(given | used)


def run(seed: int) -> None:
    """Compare one program."""
    program = Program(seed)
    compiled = mg.compile(program.call)
    program.check(program.call)
    for _ in range(1 + (seed % 3 == 0)):
        try:
            program.check(compiled)
        except mg.CompileError as error:
            if not re.search(REFUSED, str(error)):
                raise
        program.give()


@pytest.mark.parametrize("number", range(BLOCKS))
def test_derivatives_of_random_structures(number: int) -> None:
    run_block(run, number, PROGRAMS)
