#!/usr/bin/env bash
# JAX 0.10.2: the derivative of abs at 0 is 1, although jnp.sign(0.0) is 0.
#
# Elsewhere the derivative equals the sign. At 0, PyTorch, autograd and CasADi
# give 0; JAX gives 1, also at -0.0. A penalty jnp.abs(w) on a weight that is exactly 0 thus pushes
# it away from 0, where the subgradient of least norm would leave it.
#
# Seen on CPython 3.11: 1.0 1.0 0.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "jax==0.10.2" "jaxlib==0.10.2"
"$folder/venv/bin/python" - <<'PYTHON'
import jax
import jax.numpy as jnp

slopes = [float(jax.grad(jnp.abs)(x)) for x in (0.0, -0.0)]
print(*slopes, float(jnp.sign(0.0)))
assert slopes == [1.0, 1.0]
assert float(jnp.sign(0.0)) == 0.0
PYTHON
