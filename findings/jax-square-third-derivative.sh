#!/usr/bin/env bash
# JAX 0.10.2: the third derivative of x**2.0 at 0 is NaN, that of x**2 is 0.
#
# The rule of pow for x is y * x**(y - 1); it has a case for y == 0 if the exponent is a whole number,
# and none if it is a float. The second derivative is 2 * x**0.0, and so the third is 2 * 0 * x**-1,
# which is 0 * inf. Whoever checks a function up to its Hessian does not see it. x**3.0 is right up to
# the third derivative and NaN in the fourth.
#
# Seen on CPython 3.11: x**2.0 [0.0, 2.0, nan], x**2 [0.0, 2.0, 0.0], fourth of x**3.0 nan
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "jax==0.10.2" "jaxlib==0.10.2"
"$folder/venv/bin/python" - <<'PYTHON'
import math

import jax

jax.config.update("jax_enable_x64", True)


def derivatives(f, count):
    seen = []
    for _ in range(count):
        f = jax.grad(f)
        seen.append(float(f(0.0)))
    return seen


by_float, by_int = derivatives(lambda x: x**2.0, 3), derivatives(lambda x: x**2, 3)
cube = derivatives(lambda x: x**3.0, 4)
print(by_float, by_int, cube)
assert by_float[:2] == [0.0, 2.0] and math.isnan(by_float[2])
assert by_int == [0.0, 2.0, 0.0]
assert cube[:3] == [0.0, 0.0, 6.0] and math.isnan(cube[3])
PYTHON
