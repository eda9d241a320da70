#!/usr/bin/env bash
# JAX 0.10.2: the second derivative of jnp.sinc next to 0 is 201 or noise, and -pi**2/3 = -3.29 at 0.
#
# jnp.sinc handles x = 0 itself, where its derivatives are right. Next to it they come from
# differentiating sin(pi x) / (pi x), which cancels: at 1e-9, in float64, the second derivative is
# 201.06 instead of -3.29, and the first is 0.0 instead of -3.29e-9. A point of a grid that misses 0
# by rounding is enough.
#
# Seen on CPython 3.11: -3.2898681336964524 201.06192982974676 0.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "jax==0.10.2" "jaxlib==0.10.2"
"$folder/venv/bin/python" - <<'PYTHON'
import math

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)
first, second = jax.grad(jnp.sinc), jax.grad(jax.grad(jnp.sinc))
print(float(second(0.0)), float(second(1e-9)), float(first(1e-9)))
assert math.isclose(float(second(0.0)), -math.pi**2 / 3.0, rel_tol=1e-12)
assert abs(float(second(1e-9)) + math.pi**2 / 3.0) > 100.0
assert float(first(1e-9)) == 0.0
PYTHON
