"""The smallest engine there is, of the design of Karpathy's microgpt: the measure for others.

A node has four slots: its number, its gradient, its children and one local gradient for each of
them. A plain number becomes a node. Nothing is checked, and nothing but first derivatives is there.
"""

from __future__ import annotations

import math


class Value:
    """A number, the numbers it was computed from, and its partial derivative by each of these."""

    __slots__ = ("children", "data", "grad", "local_gradients")

    def __init__(
        self,
        data: float,
        children: tuple[Value, ...] = (),
        local_gradients: tuple[float, ...] = (),
    ) -> None:
        self.data = data
        self.grad: float = 0
        self.children = children
        self.local_gradients = local_gradients

    def __add__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __sub__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data - other.data, (self, other), (1, -1))

    def __mul__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __truediv__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        a, b = self.data, other.data
        return Value(a / b, (self, other), (1 / b, -a / b**2))

    def __pow__(self, exponent: float) -> Value:
        return Value(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1),))

    def __radd__(self, other: float) -> Value:
        return self + other

    def __rmul__(self, other: float) -> Value:
        return self * other

    def exp(self) -> Value:
        e = math.exp(self.data)
        return Value(e, (self,), (e,))

    def log(self) -> Value:
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def tanh(self) -> Value:
        t = math.tanh(self.data)
        return Value(t, (self,), (1 - t * t,))

    def relu(self) -> Value:
        return Value(max(0, self.data), (self,), (float(self.data > 0),))

    def backward(self) -> None:
        order: list[Value] = []
        visited = set()

        def build_topo(v: Value) -> None:
            if v not in visited:
                visited.add(v)
                for child in v.children:
                    build_topo(child)
                order.append(v)

        build_topo(self)
        self.grad = 1
        for v in reversed(order):
            for child, local in zip(v.children, v.local_gradients):  # noqa: B905 (as microgpt has it)
                child.grad += local * v.grad
