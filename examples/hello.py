"""From an expression in two inputs to its gradient: ``python examples/hello.py``."""

from microgradlib import Value

x = Value(2.0, label="x")
y = Value(-1.0, label="y")

# An ordinary Python expression; each operation remembers its inputs.
z = (x * y + 3.0).tanh() + x**2

# The chain rule, from z back to the inputs.
z.backward()

print(f"z     = {z.data:.6f}")
print(f"dz/dx = {x.grad:.6f}")
print(f"dz/dy = {y.grad:.6f}")
